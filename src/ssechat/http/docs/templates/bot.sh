answers() {
  jq -c --arg me "$ME" 'select(.sender != $me and .text != null) |
    {conversation_id, text: "You said: \(.text)", client_msg_id: "answer-\(.seq)"}'
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
            printf '%s\n' "$data" | answers |
              curl -sw '\n' --retry 9 "$S/v1/messages" -H "$AUTH" -H "$JSON" -d @-
          fi
          if [ -n "$id" ]; then echo "$id" > last-id; fi
          event='' data='' id='' ;;
      esac
    done
  sleep 2
done
