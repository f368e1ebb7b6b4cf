me=$(curl -s "$S/v1/session" -H "$AUTH" | jq -r .user)
answer() {
  jq -c --arg me "$me" 'select(.sender != $me and .text != null) |
    {conversation_id, text: "You said: \(.text)", client_msg_id: "answer-\(.seq)"}'
}
send() {
  until case $(curl -so /dev/null -w '%{http_code}' --retry 9 "$S/v1/messages" -H "$AUTH" -H "$JSON" -d "$1") in
    000 | 429 | 5??) false ;;
  esac; do sleep 2; done
}
while :; do
  curl -sN --speed-limit 1 --speed-time 60 "$S/v1/events" -H "$AUTH" \
      -H "Last-Event-ID: $(cat last-id 2> /dev/null || echo 0-0)" |
    while IFS=' ' read -r field value; do
      case $field in
        event:) event=$value ;;
        data:) data=$value ;;
        id:) id=$value ;;
        '')
          if [ "$event" = message ]; then
            body=$(printf '%s\n' "$data" | answer)
            [ -z "$body" ] || send "$body"
          fi
          [ -z "$id" ] || echo "$id" > last-id
          event='' data='' id='' ;;
      esac
    done
  sleep 2
done
