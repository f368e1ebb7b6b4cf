answer() {
  jq -c --arg me "$me" 'select(.sender != $me and .text != null) |
    {conversation_id, text: "You said: \(.text)", client_msg_id: "answer-\(.seq)"}'
}
send() {
  until case $(curl -sw '\n%{http_code}' --retry 9 "$S/v1/messages" -H "$AUTH" -H "$JSON" -d "$1" | tail -n 1) in
    401) exit ;;
    408 | 429) false ;;
    2?? | 4??) ;;
    *) false ;;
  esac; do sleep 2; done
}
while :; do
  session=$(curl -s "$S/v1/session" -H "$AUTH") last=$(cat last-id 2> /dev/null)
  me=$(printf '%s' "$session" | jq -r '.user // empty' 2> /dev/null)
  case $me:$session in
    :*'"status":401'*) echo 'The token has ended: get a new one.'; break ;;
    :*) sleep 2; continue ;;
  esac
  curl -sN --speed-limit 1 --speed-time 60 "$S/v1/events" -H "$AUTH" -H "Last-Event-ID: ${last:-0-0}" |
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
          [ -z "$id" ] || { echo "$id" > last-id.new && mv last-id.new last-id; }
          event='' data='' id='' ;;
      esac
    done
  sleep 2
done
