// The official Go SDK against the relay: what a game's server or a tool may count on.
//
// Run with the port of a relay: `ROOMS_RELAY_PORT=8787 go test ./...`.
package sdk

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"sort"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/ably/ably-go/ably"
)

const key = "rooms.dev:insecure-development-key"

// No answer in this time is a failure, not a slow machine.
const patience = 30 * time.Second

func relayPort(t *testing.T) int {
	t.Helper()
	port, err := strconv.Atoi(os.Getenv("ROOMS_RELAY_PORT"))
	if err != nil {
		t.Fatal("set ROOMS_RELAY_PORT to the port of a relay")
	}
	return port
}

func options(port int, more ...ably.ClientOption) []ably.ClientOption {
	return append([]ably.ClientOption{
		ably.WithEndpoint("127.0.0.1"),
		ably.WithPort(port),
		ably.WithTLS(false),
		ably.WithInsecureAllowBasicAuthWithoutTLS(),
	}, more...)
}

func patient(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func realtime(t *testing.T, port int, more ...ably.ClientOption) *ably.Realtime {
	t.Helper()
	client, err := ably.NewRealtime(options(port, append(more, ably.WithAutoConnect(false))...)...)
	must(t, err)
	connected := make(chan struct{})
	var once sync.Once
	client.Connection.On(ably.ConnectionEventConnected, func(ably.ConnectionStateChange) { once.Do(func() { close(connected) }) })
	client.Connect()
	t.Cleanup(client.Close)
	select {
	case <-connected:
		return client
	case <-time.After(patience):
		t.Fatalf("not connected: %v %v", client.Connection.State(), client.Connection.ErrorReason())
		return nil
	}
}

func rest(t *testing.T, more ...ably.ClientOption) *ably.REST {
	t.Helper()
	client, err := ably.NewREST(options(relayPort(t), append([]ably.ClientOption{ably.WithKey(key)}, more...)...)...)
	must(t, err)
	return client
}

func listen(t *testing.T, channel *ably.RealtimeChannel) chan *ably.Message {
	t.Helper()
	received := make(chan *ably.Message, 100)
	_, err := channel.SubscribeAll(patient(t), func(message *ably.Message) { received <- message })
	must(t, err)
	return received
}

func next[T any](t *testing.T, received chan T) T {
	t.Helper()
	select {
	case item := <-received:
		return item
	case <-time.After(patience):
		t.Fatal("nothing came")
		panic("unreachable")
	}
}

// A way to the relay whose sockets can be cut.
type line struct {
	port    int
	mutex   sync.Mutex
	sockets []net.Conn
}

func newLine(t *testing.T) *line {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { listener.Close() })
	line := &line{port: listener.Addr().(*net.TCPAddr).Port}
	relay := fmt.Sprintf("127.0.0.1:%d", relayPort(t))
	go func() {
		for {
			near, err := listener.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("tcp", relay)
			if err != nil {
				near.Close()
				continue
			}
			line.mutex.Lock()
			line.sockets = append(line.sockets, near, far)
			line.mutex.Unlock()
			pass := func(to, from net.Conn) {
				io.Copy(to, from)
				to.Close()
			}
			go pass(near, far)
			go pass(far, near)
		}
	}()
	return line
}

func (line *line) cut() {
	line.mutex.Lock()
	defer line.mutex.Unlock()
	for _, socket := range line.sockets {
		socket.Close()
	}
	line.sockets = nil
}

func TestMessagesArriveInOrderInBothEncodings(t *testing.T) {
	for _, binary := range []bool{false, true} {
		client := realtime(t, relayPort(t), ably.WithKey(key), ably.WithClientID("go"), ably.WithUseBinaryProtocol(binary))
		channel := client.Channels.Get(fmt.Sprintf("go-order-%v", binary))
		received := listen(t, channel)
		for number := 0; number < 10; number++ {
			must(t, channel.Publish(patient(t), "count", strconv.Itoa(number)))
		}
		for number := 0; number < 10; number++ {
			message := next(t, received)
			if message.Data != strconv.Itoa(number) || message.ClientID != "go" {
				t.Fatalf("message %d is %v of %q", number, message.Data, message.ClientID)
			}
		}
	}
}

func TestMembersComeAndGo(t *testing.T) {
	ada := realtime(t, relayPort(t), ably.WithKey(key), ably.WithClientID("ada"))
	bob := realtime(t, relayPort(t), ably.WithKey(key), ably.WithClientID("bob"))
	here := ada.Channels.Get("go-here")
	changes := make(chan *ably.PresenceMessage, 100)
	_, err := here.Presence.SubscribeAll(patient(t), func(change *ably.PresenceMessage) { changes <- change })
	must(t, err)
	must(t, here.Presence.Enter(patient(t), "first"))
	if change := next(t, changes); change.ClientID != "ada" {
		t.Fatalf("%v came first", change)
	}
	must(t, bob.Channels.Get("go-here").Presence.Enter(patient(t), "second"))
	if change := next(t, changes); change.ClientID != "bob" || change.Data != "second" {
		t.Fatalf("%v came second", change)
	}
	members, err := bob.Channels.Get("go-here").Presence.Get(patient(t))
	must(t, err)
	names := []string{}
	for _, member := range members {
		names = append(names, member.ClientID)
	}
	sort.Strings(names)
	if len(names) != 2 || names[0] != "ada" || names[1] != "bob" {
		t.Fatalf("present are %v", names)
	}
	bob.Close()
	if change := next(t, changes); change.ClientID != "bob" || change.Action != ably.PresenceActionLeave {
		t.Fatalf("%v came last", change)
	}
}

func TestHistoryComesInPagesAndRewindShowsItsEnd(t *testing.T) {
	writer := rest(t)
	for number := 0; number < 5; number++ {
		must(t, writer.Channels.Get("go-history").Publish(patient(t), "count", strconv.Itoa(number)))
	}
	pages, err := writer.Channels.Get("go-history").History(
		ably.HistoryWithDirection(ably.Forwards), ably.HistoryWithLimit(3)).Pages(patient(t))
	must(t, err)
	read := []string{}
	for pages.Next(patient(t)) {
		for _, message := range pages.Items() {
			read = append(read, message.Data.(string))
		}
		read = append(read, "|")
	}
	must(t, pages.Err())
	if got := fmt.Sprint(read); got != "[0 1 2 | 3 4 |]" {
		t.Fatalf("the pages are %v", got)
	}
	reader := realtime(t, relayPort(t), ably.WithKey(key))
	received := listen(t, reader.Channels.Get("go-history", ably.ChannelWithParams("rewind", "2")))
	if first, second := next(t, received), next(t, received); first.Data != "3" || second.Data != "4" {
		t.Fatalf("the end is %v and %v", first.Data, second.Data)
	}
}

func TestAfterACutSocketNothingIsMissingAndNothingComesTwice(t *testing.T) {
	line := newLine(t)
	client := realtime(t, line.port, ably.WithKey(key))
	other := realtime(t, relayPort(t), ably.WithKey(key))
	channel := client.Channels.Get("go-line")
	received := listen(t, channel)
	must(t, channel.Publish(patient(t), "word", "0"))
	before := client.Connection.ID()
	disconnected, connected := make(chan struct{}, 9), make(chan struct{}, 9)
	client.Connection.On(ably.ConnectionEventDisconnected, func(ably.ConnectionStateChange) { disconnected <- struct{}{} })
	client.Connection.On(ably.ConnectionEventConnected, func(ably.ConnectionStateChange) { connected <- struct{}{} })
	line.cut()
	next(t, disconnected)
	must(t, other.Channels.Get("go-line").Publish(patient(t), "word", "1"))
	next(t, connected)
	must(t, channel.Publish(patient(t), "word", "2"))
	for number := 0; number < 3; number++ {
		if message := next(t, received); message.Data != strconv.Itoa(number) {
			t.Fatalf("message %d is %v", number, message.Data)
		}
	}
	if after := client.Connection.ID(); after != before {
		t.Fatalf("connection %q was not resumed: it is %q", before, after)
	}
}

func TestATokenGoesAsFarAsItSays(t *testing.T) {
	issuer := rest(t)
	token, err := issuer.Auth.RequestToken(patient(t), &ably.TokenParams{
		ClientID: "ada", Capability: `{"go-mine":["subscribe"]}`,
	})
	must(t, err)
	ada := realtime(t, relayPort(t), ably.WithToken(token.Token))
	listen(t, ada.Channels.Get("go-mine"))
	if ada.Auth.ClientID() != "ada" {
		t.Fatalf("the client id is %q", ada.Auth.ClientID())
	}
	err = ada.Channels.Get("go-other").Attach(patient(t))
	if info, ok := err.(*ably.ErrorInfo); !ok || info.Code != 40160 {
		t.Fatalf("another channel gave %v", err)
	}
}

func TestAWrongKeyIsRefused(t *testing.T) {
	client, err := ably.NewRealtime(options(relayPort(t), ably.WithKey("rooms.dev:wrong"), ably.WithAutoConnect(false))...)
	must(t, err)
	failed := make(chan ably.ConnectionStateChange, 1)
	client.Connection.Once(ably.ConnectionEventFailed, func(change ably.ConnectionStateChange) { failed <- change })
	client.Connect()
	if change := next(t, failed); change.Reason.Code != 40101 {
		t.Fatalf("refused with %v", change.Reason)
	}
}
