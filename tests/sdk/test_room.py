"""The official Python SDK against the relay: it connects, is present, and gets messages in order and history.

Run with the port of a relay: `python tests/sdk/test_room.py PORT`.
"""

import asyncio
import sys

from ably import AblyRealtime, AblyRest

KEY = "rooms.dev:insecure-development-key"


async def main(port: int) -> None:
    options = {"key": KEY, "endpoint": "127.0.0.1", "port": port, "tls": False}
    # Its WebSocket takes the port from the endpoint only.
    realtime = AblyRealtime(client_id="python", **{**options, "endpoint": f"127.0.0.1:{port}"})
    await asyncio.wait_for(realtime.connection.once_async("connected"), 10)

    channel = realtime.channels.get("python")
    received: asyncio.Queue = asyncio.Queue()
    await channel.subscribe(received.put_nowait)
    for number in range(10):
        await channel.publish("count", {"number": number})
    messages = [await asyncio.wait_for(received.get(), 10) for _ in range(10)]
    assert [message.data["number"] for message in messages] == list(range(10))
    assert all(message.client_id == "python" for message in messages)

    # It sends no key over an unencrypted line, so it asks for a token with a signed request.
    rest = AblyRest(use_token_auth=True, **options)
    await rest.channels.get("python").publish("bytes", bytearray([0, 255]))
    message = await asyncio.wait_for(received.get(), 10)
    assert bytes(message.data) == bytes([0, 255])
    page = await rest.channels.get("python").history(limit=5, direction="forwards")
    assert [message.data["number"] for message in page.items] == [0, 1, 2, 3, 4]
    assert page.has_next()

    details = await rest.auth.request_token({"client_id": "ada", "capability": {"python": ["subscribe"]}})
    reader = AblyRest(token=details.token, **{name: value for name, value in options.items() if name != "key"})
    try:
        await reader.channels.get("python").publish("a", "b")
        raise AssertionError("a token for subscribing must not publish")
    except Exception as error:
        assert getattr(error, "code", None) == 40160, error

    await reader.close()
    await rest.close()
    await realtime.close()
    print("python sdk: ok")


asyncio.run(main(int(sys.argv[1])))
