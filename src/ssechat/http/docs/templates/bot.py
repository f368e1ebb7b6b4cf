import asyncio
import math
import os

from ssechat.client import Client, MessageEvent, Refused


async def main() -> None:
    server, token = os.environ["SSECHAT_SERVER"], os.environ["SSECHAT_TOKEN"]
    async with Client(server, token, patience=math.inf) as chat:
        async for event in chat.events(since="0-0", bookmark="bot.bookmark"):
            if isinstance(event, MessageEvent) and event.data.text and event.data.sender != await chat.user():
                try:
                    answer = f"You said: {event.data.text}"
                    await chat.send(event.data.conversation_id, answer, client_msg_id=f"answer-{event.id}")
                except Refused as refusal:
                    print(refusal)


asyncio.run(main())
