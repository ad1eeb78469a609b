import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.ably.lib.realtime.AblyRealtime;
import io.ably.lib.realtime.Channel;
import io.ably.lib.realtime.CompletionListener;
import io.ably.lib.realtime.ConnectionEvent;
import io.ably.lib.realtime.ConnectionState;
import io.ably.lib.rest.AblyRest;
import io.ably.lib.rest.Auth;
import io.ably.lib.types.AblyException;
import io.ably.lib.types.ChannelOptions;
import io.ably.lib.types.ClientOptions;
import io.ably.lib.types.ErrorInfo;
import io.ably.lib.types.Message;
import io.ably.lib.types.PaginatedResult;
import io.ably.lib.types.Param;
import io.ably.lib.types.PresenceMessage;
import io.ably.lib.util.Log;
import java.io.IOException;
import java.net.ServerSocket;
import java.net.Socket;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What a game's server or a tool may count on. No answer in half a minute is a failure, not a slow machine. */
@Timeout(60)
class RoomTest {
    private static final String NAME = "rooms.dev";
    private static final String KEY = NAME + ":insecure-development-key";
    private static final int PORT = Integer.parseInt(System.getProperty("rooms.port"));

    private final List<AblyRealtime> clients = new ArrayList<>();

    private interface Change {
        void to(ClientOptions options) throws Exception;
    }

    private static ClientOptions options(int port, Change change) throws Exception {
        ClientOptions options = new ClientOptions();
        options.restHost = options.realtimeHost = "127.0.0.1";
        options.port = port;
        options.tls = false;
        options.logLevel = Log.NONE;
        change.to(options);
        return options;
    }

    /** It sends no key over an unencrypted line, so it asks for a token with a signed request. */
    private static void withKey(ClientOptions options) {
        options.key = KEY;
        options.useTokenAuth = true;
    }

    private AblyRealtime connect(int port, Change change) throws Exception {
        AblyRealtime client = new AblyRealtime(options(port, change));
        clients.add(client);
        BlockingQueue<ConnectionState> states = new LinkedBlockingQueue<>();
        client.connection.on(ConnectionEvent.connected, state -> states.add(state.current));
        if (client.connection.state != ConnectionState.connected) {
            assertNotNull(states.poll(30, TimeUnit.SECONDS), "not connected: " + client.connection.reason);
        }
        return client;
    }

    private AblyRealtime connectAs(String clientId) throws Exception {
        return connect(PORT, options -> {
            withKey(options);
            options.clientId = clientId;
        });
    }

    private static BlockingQueue<Message> listen(Channel channel) throws Exception {
        BlockingQueue<Message> received = new LinkedBlockingQueue<>();
        channel.subscribe(received::add);
        Done attached = new Done();
        channel.attach(attached);
        assertEquals(null, attached.get());
        return received;
    }

    private static <T> T next(BlockingQueue<T> received) throws Exception {
        T item = received.poll(30, TimeUnit.SECONDS);
        assertNotNull(item, "nothing came");
        return item;
    }

    /** What became of a request: nothing, or its error. */
    private static class Done extends CompletableFuture<ErrorInfo> implements CompletionListener {
        @Override
        public void onSuccess() {
            complete(null);
        }

        @Override
        public void onError(ErrorInfo reason) {
            complete(reason);
        }
    }

    private static void publish(Channel channel, String data) throws Exception {
        Done done = new Done();
        channel.publish("word", data, done);
        assertEquals(null, done.get());
    }

    /** A way to the relay whose sockets can be cut. */
    private static class Line {
        final ServerSocket listener = new ServerSocket(0);
        private final List<Socket> sockets = new CopyOnWriteArrayList<>();

        Line() throws IOException {
            run(() -> {
                while (true) {
                    Socket near = listener.accept();
                    Socket far = new Socket("127.0.0.1", PORT);
                    sockets.addAll(List.of(near, far));
                    run(() -> pass(near, far));
                    run(() -> pass(far, near));
                }
            });
        }

        private interface Work {
            void go() throws IOException;
        }

        private static void run(Work work) {
            Thread thread = new Thread(() -> {
                try {
                    work.go();
                } catch (IOException closed) {
                    // The line was cut.
                }
            });
            thread.setDaemon(true);
            thread.start();
        }

        private static void pass(Socket from, Socket to) throws IOException {
            try (from; to) {
                from.getInputStream().transferTo(to.getOutputStream());
            }
        }

        void cut() throws IOException {
            for (Socket socket : sockets) {
                socket.close();
            }
            sockets.clear();
        }
    }

    @AfterEach
    void close() {
        clients.forEach(AblyRealtime::close);
    }

    @Test
    void messagesArriveInOrderInBothEncodings() throws Exception {
        for (boolean binary : new boolean[] {false, true}) {
            AblyRealtime client = connect(PORT, options -> {
                withKey(options);
                options.clientId = "java";
                options.useBinaryProtocol = binary;
            });
            Channel channel = client.channels.get("java-order-" + binary);
            BlockingQueue<Message> received = listen(channel);
            for (int number = 0; number < 10; number++) {
                publish(channel, "" + number);
            }
            for (int number = 0; number < 10; number++) {
                Message message = next(received);
                assertEquals("" + number, message.data);
                assertEquals("java", message.clientId);
            }
        }
    }

    @Test
    void membersComeAndGo() throws Exception {
        AblyRealtime ada = connectAs("ada");
        AblyRealtime bob = connectAs("bob");
        BlockingQueue<PresenceMessage> changes = new LinkedBlockingQueue<>();
        Channel here = ada.channels.get("java-here");
        here.presence.subscribe(changes::add);
        Done entered = new Done();
        here.presence.enter("first", entered);
        assertEquals(null, entered.get());
        assertEquals("ada", next(changes).clientId);
        Channel there = bob.channels.get("java-here");
        BlockingQueue<PresenceMessage> seen = new LinkedBlockingQueue<>();
        there.presence.subscribe(PresenceMessage.Action.enter, seen::add);
        there.presence.enter("second", new Done());
        PresenceMessage change = next(changes);
        assertEquals(List.of("bob", "second"), List.of(change.clientId, change.data));
        assertEquals("bob", next(seen).clientId);
        PresenceMessage[] members = there.presence.get(true);
        assertEquals(List.of("ada", "bob"), Arrays.stream(members).map(member -> member.clientId).sorted().toList());
        bob.close();
        change = next(changes);
        assertEquals(List.of("bob", PresenceMessage.Action.leave), List.of(change.clientId, change.action));
    }

    @Test
    void historyComesInPagesAndRewindShowsItsEnd() throws Exception {
        AblyRest writer = new AblyRest(options(PORT, RoomTest::withKey));
        for (int number = 0; number < 5; number++) {
            writer.channels.get("java-history").publish("count", "" + number);
        }
        Param[] query = {new Param("direction", "forwards"), new Param("limit", "3")};
        PaginatedResult<Message> page = writer.channels.get("java-history").history(query);
        assertEquals(List.of("0", "1", "2"), Arrays.stream(page.items()).map(message -> message.data).toList());
        assertTrue(page.hasNext());
        assertEquals(List.of("3", "4"), Arrays.stream(page.next().items()).map(message -> message.data).toList());
        ChannelOptions options = new ChannelOptions();
        options.params = Map.of("rewind", "2");
        BlockingQueue<Message> received = listen(connectAs("reader").channels.get("java-history", options));
        assertEquals(List.of("3", "4"), List.of(next(received).data, next(received).data));
    }

    @Test
    void afterACutSocketNothingIsMissingAndNothingComesTwice() throws Exception {
        Line line = new Line();
        AblyRealtime client = connect(line.listener.getLocalPort(), RoomTest::withKey);
        Channel channel = client.channels.get("java-line");
        BlockingQueue<Message> received = listen(channel);
        publish(channel, "0");
        String before = client.connection.id;
        BlockingQueue<ConnectionState> states = new LinkedBlockingQueue<>();
        client.connection.on(change -> states.add(change.current));
        line.cut();
        while (next(states) != ConnectionState.disconnected) {}
        publish(connectAs("other").channels.get("java-line"), "1");
        while (client.connection.state != ConnectionState.connected) {
            next(states);
        }
        publish(channel, "2");
        for (int number = 0; number < 3; number++) {
            assertEquals("" + number, next(received).data);
        }
        assertEquals(before, client.connection.id, "the connection was resumed");
    }

    @Test
    void aTokenGoesAsFarAsItSays() throws Exception {
        AblyRest issuer = new AblyRest(options(PORT, RoomTest::withKey));
        Auth.TokenParams wanted = new Auth.TokenParams();
        wanted.clientId = "ada";
        wanted.capability = "{\"java-mine\":[\"subscribe\"]}";
        String token = issuer.auth.requestToken(wanted, null).token;
        AblyRealtime ada = connect(PORT, options -> options.token = token);
        listen(ada.channels.get("java-mine"));
        assertEquals("ada", ada.auth.clientId);
        Done refused = new Done();
        ada.channels.get("java-other").attach(refused);
        assertEquals(40160, refused.get().code);
    }

    @Test
    void aWrongKeyIsRefused() throws Exception {
        AblyRest wrong = new AblyRest(options(PORT, options -> {
            options.key = NAME + ":wrong";
            options.useTokenAuth = true;
        }));
        try {
            wrong.auth.requestToken(null, null);
        } catch (AblyException refused) {
            assertEquals(40101, refused.errorInfo.code);
            return;
        }
        throw new AssertionError("it was not refused");
    }
}
