"""The official Python SDK against the relay: what a game's server or a tool may count on.

Run with the port of a relay: `python tests/sdk/test_room.py PORT`.
"""

import asyncio
import base64
import hashlib
import hmac
import json
import sys
import time

from ably import AblyException, AblyRealtime, AblyRest
from ably.types.channeloptions import ChannelOptions
from ably.types.message import Message

NAME, SECRET = "rooms.dev", "insecure-development-key"
KEY = f"{NAME}:{SECRET}"
PORT = int(sys.argv[1])

# No answer in this time is a failure, not a slow machine.
PATIENCE = 30


def rest(**options) -> AblyRest:
    # It sends no key over an unencrypted line, so it asks for a token with a signed request.
    how = {} if "token" in options else {"key": KEY, "use_token_auth": True}
    return AblyRest(endpoint="127.0.0.1", port=PORT, tls=False, **how, **options)


async def realtime(**options) -> AblyRealtime:
    # Its WebSocket takes the port from the endpoint only.
    how = {} if "token" in options else {"key": KEY}
    client = AblyRealtime(endpoint=f"127.0.0.1:{PORT}", port=PORT, tls=False, **how, **options)
    await client.connection.once_async("connected")
    return client


async def listen(client: AblyRealtime, name: str, options: ChannelOptions | None = None) -> asyncio.Queue:
    received: asyncio.Queue = asyncio.Queue()
    await client.channels.get(name, options).subscribe(received.put_nowait)
    return received


async def refused(awaitable, code: int) -> None:
    try:
        await awaitable
    except AblyException as error:
        assert error.code == code, error
    else:
        raise AssertionError(f"it was not refused with {code}")


def jwt(**claims) -> str:
    """A JWT signed with the development key."""
    now = int(time.time())
    parts = [{"typ": "JWT", "alg": "HS256", "kid": NAME}, {"iat": now, "exp": now + 60, **claims}]
    encoded = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in parts]
    signed = b".".join(encoded)
    signature = base64.urlsafe_b64encode(hmac.new(SECRET.encode(), signed, hashlib.sha256).digest()).rstrip(b"=")
    return (signed + b"." + signature).decode()


def cut(client: AblyRealtime) -> None:
    """Breaks the socket, without a goodbye."""
    client.connection.connection_manager.transport.websocket.transport.abort()


async def messages_arrive_in_order() -> None:
    client = await realtime(client_id="python")
    received = await listen(client, "order")
    for number in range(10):
        await client.channels.get("order").publish("count", {"number": number})
    messages = [await received.get() for _ in range(10)]
    assert [message.data["number"] for message in messages] == list(range(10))
    assert all(message.client_id == "python" for message in messages)
    await client.close()


async def members_come_and_go() -> None:
    ada, bob = await realtime(client_id="ada"), await realtime(client_id="bob")
    words: asyncio.Queue = asyncio.Queue()
    here = ada.channels.get("here")
    await here.attach()
    await here.presence.subscribe(words.put_nowait)
    await here.presence.enter("first")
    assert (await words.get()).client_id == "ada"
    await bob.channels.get("here").presence.enter({"colour": "red"})
    word = await words.get()
    assert (word.client_id, word.data) == ("bob", {"colour": "red"})
    members = await bob.channels.get("here").presence.get()
    assert sorted(member.client_id for member in members) == ["ada", "bob"]
    await bob.close()
    word = await words.get()
    assert (word.client_id, word.action) == ("bob", 3), "it left"
    await ada.close()


async def both_encodings_carry_every_payload() -> None:
    payloads = ["héllo", {"nested": [1, None, "x"]}, bytearray([0, 159, 255])]
    for publisher in (False, True):
        for subscriber in (False, True):
            name = f"encodings-{publisher}-{subscriber}"
            sender = await realtime(use_binary_protocol=publisher)
            receiver = await realtime(use_binary_protocol=subscriber)
            received = await listen(receiver, name)
            await sender.channels.get(name).publish([Message("x", data) for data in payloads])
            assert [(await received.get()).data for _ in payloads] == payloads
            reader = rest(use_binary_protocol=subscriber)
            page = await reader.channels.get(name).history(direction="forwards")
            assert [message.data for message in page.items] == payloads
            for client in (reader, sender, receiver):
                await client.close()


async def history_comes_in_pages_and_rewind_shows_its_end() -> None:
    writer = rest()
    for number in range(5):
        await writer.channels.get("history").publish("count", str(number))
    page = await writer.channels.get("history").history(limit=3, direction="forwards")
    assert [message.data for message in page.items] == ["0", "1", "2"]
    assert [message.data for message in (await page.next()).items] == ["3", "4"]
    newcomer = await realtime()
    received = await listen(newcomer, "history", ChannelOptions(params={"rewind": "2"}))
    assert [(await received.get()).data for _ in range(2)] == ["3", "4"]
    await newcomer.close()
    await writer.close()


async def after_a_cut_socket_nothing_is_missing_and_nothing_comes_twice() -> None:
    client, other = await realtime(), await realtime()
    channel = client.channels.get("line")
    received = await listen(client, "line")
    await channel.publish("word", "0")
    connection = client.connection.connection_manager.connection_id
    # Waits for the next line, as does what the other says meanwhile.
    cut(client)
    await client.connection.once_async("disconnected")
    publishes = [asyncio.create_task(channel.publish("word", str(number))) for number in (1, 2)]
    await other.channels.get("line").publish("word", "other")
    await asyncio.gather(*publishes)
    await channel.publish("word", "3")
    heard = []
    while not heard or heard[-1] != "3":
        heard.append((await received.get()).data)
    assert sorted(heard) == ["0", "1", "2", "3", "other"], heard
    assert [word for word in heard if word != "other"] == ["0", "1", "2", "3"], heard
    assert client.connection.connection_manager.connection_id == connection, "the connection was resumed"
    await client.close()
    await other.close()


async def a_token_goes_as_far_as_it_says() -> None:
    issuer = rest()
    details = await issuer.auth.request_token({"client_id": "ada", "capability": {"mine": ["subscribe"]}})
    reader = rest(token=details.token)
    await refused(reader.channels.get("mine").publish("a", "b"), 40160)
    ada = await realtime(token=details.token)
    assert ada.auth.client_id == "ada"
    await listen(ada, "mine")
    await refused(ada.channels.get("other").attach(), 40160)
    for client in (ada, reader, issuer):
        await client.close()


async def a_token_request_is_taken_once() -> None:
    issuer = rest()
    request = (await issuer.auth.create_token_request({"client_id": "ada"}, key_name=NAME, key_secret=SECRET)).to_dict()
    path = f"/keys/{NAME}/requestToken"
    assert (await issuer.request("POST", path, version="3", body=request)).status_code == 201
    assert (await issuer.request("POST", path, version="3", body=request)).status_code == 401, "the nonce is used up"
    request["mac"], request["nonce"] = base64.b64encode(bytes(32)).decode(), "another-nonce-of-16"
    answer = await issuer.request("POST", path, version="3", body=request)
    told = (answer.status_code, answer.error_code)
    assert told == (401, "40101"), f"a forged signature: {told}"
    await issuer.close()


async def a_jwt_lets_its_client_in_until_it_runs_out() -> None:
    ada = await realtime(token=jwt(**{"x-ably-clientId": "ada"}))
    await ada.channels.get("jwt").publish("a", "b")
    await ada.close()
    now = int(time.time())
    late = rest(token=jwt(iat=now - 20, exp=now - 10))
    try:
        await late.channels.get("jwt").history()
        raise AssertionError("it ran out")
    except AblyException as error:
        assert 40140 <= error.code < 40150 or error.code == 40171, error
    await late.close()


async def nobody_speaks_as_another() -> None:
    issuer = rest()
    details = await issuer.auth.request_token({"client_id": "ada"})
    holder = rest(token=details.token)
    # The SDK would refuse this by itself, so it goes out by hand.
    forged = {"name": "a", "data": "x", "clientId": "bob"}
    answer = await holder.request("POST", "/channels/a/messages", version="3", body=forged)
    assert (answer.success, answer.error_code) == (False, "40012")
    forged = AblyRealtime(endpoint=f"127.0.0.1:{PORT}", port=PORT, tls=False, token=details.token, client_id="bob")
    change = await forged.connection.once_async("failed")
    assert change.reason.code == 40102, change.reason
    await holder.close()
    await issuer.close()


async def a_message_may_be_64_kib_and_no_larger() -> None:
    writer = rest()
    await writer.channels.get("large").publish("", "x" * 65_536)
    answer = await writer.request("POST", "/channels/large/messages", version="3", body={"data": "x" * 65_537})
    assert (answer.success, answer.error_code) == (False, "40009")
    await writer.close()


async def a_wrong_key_is_refused() -> None:
    wrong = AblyRealtime(key=f"{NAME}:wrong", endpoint=f"127.0.0.1:{PORT}", port=PORT, tls=False)
    change = await wrong.connection.once_async("failed")
    assert change.reason.code == 40101, change.reason


TESTS = [
    messages_arrive_in_order,
    members_come_and_go,
    both_encodings_carry_every_payload,
    history_comes_in_pages_and_rewind_shows_its_end,
    after_a_cut_socket_nothing_is_missing_and_nothing_comes_twice,
    a_token_goes_as_far_as_it_says,
    a_token_request_is_taken_once,
    a_jwt_lets_its_client_in_until_it_runs_out,
    nobody_speaks_as_another,
    a_message_may_be_64_kib_and_no_larger,
    a_wrong_key_is_refused,
]


async def main() -> None:
    for test in TESTS:
        await asyncio.wait_for(test(), PATIENCE)
        print(f"python sdk: {test.__name__.replace('_', ' ')}")


asyncio.run(main())
