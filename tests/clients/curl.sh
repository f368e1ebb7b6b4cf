#!/usr/bin/env bash
# curl in a loop: `curl.sh URL TOKEN`. An event counts when its blank line has come, and so does its id.
url=$1 token=$2 last='' pause=1
while :; do
  event='' data='' id=$last
  while IFS= read -r line; do
    case $line in
      event:*) event=${line#event: } ;;
      data:*) data=${line#data: } ;;
      id:*) id=${line#id: } ;;
      retry:*) pause=${line#retry: } ;;
      '')
        [[ ${event:-message} == message ]] && printf 'curl\t%s\n' "$data"
        last=$id event='' data=''
        ;;
    esac
  done < <(curl -sN --noproxy '*' -H "Authorization: Bearer $token" ${last:+-H "Last-Event-ID: $last"} "$url")
  printf -v wait '%d.%03d' $((10#$pause / 1000)) $((10#$pause % 1000))
  sleep "$wait"
done
