package server

import (
	"errors"
	"net"
	"reflect"
	"regexp"
	"sort"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/leveretmq/leveret/amqp"
	"github.com/leveretmq/leveret/vhost/auth"
)

func TestConnectionStart_RabbitMQ_ServerProperties(t *testing.T) {
	conforms(t, func(b *broker) {
		p := b.dial()
		p.raw(amqp.ProtocolHeader)
		m := expect[*amqp.ConnectionStart](p, 0)
		if m.VersionMajor != 0 || m.VersionMinor != 9 || m.Locales != "en_US" {
			t.Errorf("version %d-%d, locales %q", m.VersionMajor, m.VersionMinor, m.Locales)
		}
		mechanisms := strings.Fields(m.Mechanisms)
		sort.Strings(mechanisms)
		if !reflect.DeepEqual(mechanisms, []string{"AMQPLAIN", "PLAIN"}) {
			t.Errorf("mechanisms %q", m.Mechanisms)
		}
		capabilities, _ := m.ServerProperties.Get("capabilities")
		want := table("publisher_confirms", true, "exchange_exchange_bindings", true, "basic.nack", true, "consumer_cancel_notify", true,
			"connection.blocked", true, "consumer_priorities", true, "authentication_failure_close", true, "per_consumer_qos", true,
			"direct_reply_to", true)
		if !reflect.DeepEqual(capabilities, want) {
			t.Errorf("capabilities %v, want %v", capabilities, want)
		}
		for _, name := range []string{"cluster_name", "copyright", "information", "platform", "product", "version"} {
			if text, _ := m.ServerProperties.Get(name); text == nil || text == "" {
				t.Errorf("server property %s is %v", name, text)
			}
		}
		if v, _ := m.ServerProperties.Get("version"); !regexp.MustCompile(`^\d+\.\d+\.\d+$`).MatchString(v.(string)) {
			t.Errorf("version %q is not three numbers, which clients parse", v)
		}
		if !sort.SliceIsSorted(m.ServerProperties, func(i, j int) bool { return m.ServerProperties[i].Name < m.ServerProperties[j].Name }) {
			t.Errorf("properties are not sorted: %v", m.ServerProperties)
		}
		tune := ask[*amqp.ConnectionTune](p, 0, client{}.startOk())
		if *tune != (amqp.ConnectionTune{ChannelMax: 2047, FrameMax: 131072, Heartbeat: 60}) {
			t.Errorf("offered %+v", tune)
		}
	})
}

func TestProtocolHeader_4_2_2_Wrong(t *testing.T) {
	for _, header := range []string{"AMQP\x00\x00\x08\x00", "AMQP\x01\x01\x00\x08", "AMQP\x00\x00\x09\x00", "AMQP\x00\x01\x00\x00",
		"AMQP\x03\x01\x00\x00", "AMQP\x02\x01\x00\x00", "GET / HTTP/1.1\r\n\r\n", "\x16\x03\x01\x02\x00\x01\x00\x01", "XMQP\x00\x00\x09\x01"} {
		t.Run(header, func(t *testing.T) {
			conforms(t, func(b *broker) {
				p := b.dial()
				p.rawUnread(header)
				got, err := p.r.Peek(8)
				if string(got) != amqp.ProtocolHeader || err != nil {
					t.Errorf("got %q, %v", got, err)
				}
				p.r.Discard(8)
				p.wantEnd()
				b.peer()
			})
		})
	}
}

func TestProtocolHeader_RabbitMQ_TakesThatOf0_9(t *testing.T) {
	conforms(t, func(b *broker) {
		p := b.dial()
		p.raw("AMQP\x01\x01\x00\x09")
		if m := expect[*amqp.ConnectionStart](p, 0); m.VersionMajor != 0 || m.VersionMinor != 9 {
			t.Errorf("version %d-%d", m.VersionMajor, m.VersionMinor)
		}
		ask[*amqp.ConnectionTune](p, 0, client{}.startOk())
	})
}

// greeted returns a client that has got connection.start.
func (b *broker) greeted() *peer {
	b.t.Helper()
	p := b.dial()
	p.raw(amqp.ProtocolHeader)
	expect[*amqp.ConnectionStart](p, 0)
	return p
}

// amqplain is a response of mechanism AMQPLAIN: a table without its length.
func amqplain(t *testing.T, args ...any) string {
	t.Helper()
	raw, err := amqp.AppendTable(nil, table(args...))
	if err != nil {
		t.Fatal(err)
	}
	return string(raw[4:])
}

func TestConnectionStartOk_RabbitMQ_LoginRefused(t *testing.T) {
	const refused = "ACCESS_REFUSED - Login was refused using authentication mechanism %s. For details see the broker logfile."
	for _, c := range []struct{ name, mechanism, response string }{
		{"bad password", "PLAIN", "\x00guest\x00wrong"},
		{"empty password", "PLAIN", "\x00guest\x00"},
		{"unknown user", "PLAIN", "\x00nobody\x00guest"},
		{"bad password", "AMQPLAIN", amqplain(t, "LOGIN", "guest", "PASSWORD", "wrong")},
	} {
		t.Run(c.mechanism+" "+c.name, func(t *testing.T) {
			conforms(t, func(b *broker) {
				p := b.greeted()
				p.send(0, client{mechanism: c.mechanism, response: c.response}.startOk())
				p.wantClose(0, 403, strings.Replace(refused, "%s", c.mechanism, 1), 0)

				p = b.greeted() // a client that does not expect a close
				p.send(0, client{mechanism: c.mechanism, response: c.response, noCapabilities: true}.startOk())
				p.wantEnd()
			})
		})
	}
}

func TestConnectionStartOk_RabbitMQ_AMQPLAIN(t *testing.T) {
	conforms(t, func(b *broker) {
		p := b.connect(client{mechanism: "AMQPLAIN", response: amqplain(t, "LOGIN", "guest", "PASSWORD", "guest")})
		p.open(1)
		p.probe(1)
	})
}

// RabbitMQ drops the socket after 3 s where we say why.
func TestConnectionStartOk_1_4_2_2_Refusals(t *testing.T) {
	for _, c := range []struct {
		name, mechanism, response string
		code                      amqp.ReplyCode
		text                      string
	}{
		{"unknown mechanism", "FOO", "", 503, "COMMAND_INVALID - unknown authentication mechanism 'FOO'"},
		{"EXTERNAL", "EXTERNAL", "", 503, "COMMAND_INVALID - invalid authentication mechanism 'EXTERNAL'"},
		{"PLAIN of two parts", "PLAIN", "\x00guest", 502, "SYNTAX_ERROR - response invalid"},
		{"PLAIN empty", "PLAIN", "", 502, "SYNTAX_ERROR - response invalid"},
		{"PLAIN for another", "PLAIN", "other\x00guest\x00guest", 502, "SYNTAX_ERROR - response invalid"},
		{"AMQPLAIN of no table", "AMQPLAIN", "\x05LOG", 502, "SYNTAX_ERROR - AMQPLAIN auth info is not a table"},
		{"AMQPLAIN without password", "AMQPLAIN", amqplain(t, "LOGIN", "guest"), 502,
			"SYNTAX_ERROR - AMQPLAIN auth info is missing LOGIN or PASSWORD field"},
		{"AMQPLAIN of a wrong type", "AMQPLAIN", amqplain(t, "LOGIN", "guest", "PASSWORD", true), 502,
			"SYNTAX_ERROR - AMQPLAIN auth info uses unsupported type for LOGIN or PASSWORD field"},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, Options{}, func(b *broker) {
				p := b.greeted()
				p.send(0, client{mechanism: c.mechanism, response: c.response}.startOk())
				p.wantClose(0, c.code, c.text, 0)
			})
		})
	}
}

// fromOutside says that it comes from another machine.
type fromOutside struct{ auth *auth.Users }

func (f fromOutside) Authenticate(name, password string, _ net.Addr) (auth.User, error) {
	return f.auth.Authenticate(name, password, &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 5672})
}

func TestConnectionStartOk_RabbitMQ_GuestComesFromThisMachineOnly(t *testing.T) {
	inBubble(t, Options{Auth: fromOutside{auth.Default()}}, func(b *broker) {
		p := b.greeted()
		p.send(0, client{}.startOk())
		p.wantClose(0, 403, "ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN. For details see the broker logfile.", 0)
		if log := b.log.String(); !strings.Contains(log, "user 'guest' can only connect via localhost") {
			t.Errorf("the log does not say why:\n%s", log)
		}
	})
}

// RabbitMQ drops the socket after 3 s where we say why.
func TestConnectionTuneOk_1_4_2_6_Refusals(t *testing.T) {
	const intro = "NOT_ALLOWED - failed to negotiate connection parameters: negotiated "
	for _, c := range []struct {
		name string
		ok   amqp.ConnectionTuneOk
		text string
	}{
		{"channel_max 0", amqp.ConnectionTuneOk{FrameMax: 131072}, "channel_max = 0 (no limit) is higher than the maximum allowed value (2047)"},
		{"channel_max too high", amqp.ConnectionTuneOk{ChannelMax: 2048, FrameMax: 131072},
			"channel_max = 2048 is higher than the maximum allowed value (2047)"},
		{"frame_max 0", amqp.ConnectionTuneOk{ChannelMax: 2047}, "frame_max = 0 (no limit) is higher than the maximum allowed value (131072)"},
		{"frame_max too high", amqp.ConnectionTuneOk{ChannelMax: 2047, FrameMax: 131073},
			"frame_max = 131073 is higher than the maximum allowed value (131072)"},
		{"frame_max too low", amqp.ConnectionTuneOk{ChannelMax: 2047, FrameMax: 4095},
			"frame_max = 4095 is lower than the minimum allowed value (4096)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, Options{}, func(b *broker) {
				p := b.greeted()
				ask[*amqp.ConnectionTune](p, 0, client{}.startOk())
				p.send(0, &c.ok, &amqp.ConnectionOpen{VirtualHost: "/"})
				p.wantClose(0, 530, intro+c.text, amqp.IDConnectionTuneOk)
			})
		})
	}
}

func TestConnectionTuneOk_1_4_2_6_Accepts(t *testing.T) {
	for name, c := range map[string]client{
		"channel_max 1":                  {channelMax: 1},
		"frame_max 4096":                 {frameMax: 4096},
		"heartbeat above the broker's":   {heartbeat: 600},
		"heartbeat as high as it can be": {heartbeat: 65535},
	} {
		t.Run(name, func(t *testing.T) {
			conforms(t, func(b *broker) {
				p := b.connect(c)
				p.open(1)
				p.probe(1)
			})
		})
	}
}

func TestConnectionOpen_1_4_2_7_AbsentVHost(t *testing.T) {
	for _, name := range []string{"absent", "", "guest"} {
		t.Run(name, func(t *testing.T) {
			conforms(t, func(b *broker) {
				p := b.greeted()
				tune := ask[*amqp.ConnectionTune](p, 0, client{}.startOk())
				p.send(0, client{}.tuneOk(tune), &amqp.ConnectionOpen{VirtualHost: name})
				p.wantClose(0, 530, "NOT_ALLOWED - vhost "+name+" not found", amqp.IDConnectionOpen)
			})
		})
	}
}

// RabbitMQ drops the socket after 3 s where we say why.
func TestConnection_2_2_4_HandshakeOutOfOrder(t *testing.T) {
	const unexpected = "CHANNEL_ERROR - unexpected method in connection state "
	tuned := func(p *peer) { ask[*amqp.ConnectionTune](p, 0, client{}.startOk()) }
	for _, c := range []struct {
		name    string
		prepare func(p *peer)
		ch      uint16
		m       amqp.Method
		code    amqp.ReplyCode
		text    string
		id      uint32
	}{
		{"open for start-ok", nil, 0, &amqp.ConnectionOpen{VirtualHost: "/"}, 504, unexpected + "starting", amqp.IDConnectionOpen},
		{"start-ok for tune-ok", tuned, 0, client{}.startOk(), 504, unexpected + "tuning", amqp.IDConnectionStartOk},
		{"tune-ok for open", func(p *peer) { tuned(p); p.send(0, &amqp.ConnectionTuneOk{ChannelMax: 1, FrameMax: 4096}) },
			0, &amqp.ConnectionTuneOk{}, 504, unexpected + "opening", amqp.IDConnectionTuneOk},
		{"a channel before open", nil, 1, &amqp.ChannelOpen{}, 505, "UNEXPECTED_FRAME - type 1, all octets = <<0,20,0,10,0>>", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, Options{}, func(b *broker) {
				p := b.greeted()
				if c.prepare != nil {
					c.prepare(p)
				}
				p.send(c.ch, c.m)
				p.wantClose(0, c.code, c.text, c.id)
			})
		})
	}
}

// A client that does not wait for answers is answered all the same.
func TestConnection_2_2_4_PipelinedHandshake(t *testing.T) {
	conforms(t, func(b *broker) {
		p := b.dial()
		p.buf = append(p.buf, amqp.ProtocolHeader...)
		p.add(0, client{}.startOk(), &amqp.ConnectionTuneOk{ChannelMax: 2047, FrameMax: 131072}, &amqp.ConnectionOpen{VirtualHost: "/"})
		p.add(1, &amqp.ChannelOpen{})
		p.frameMax = 131072
		p.addPost(1, post{key: "absent", body: "m", mandatory: true})
		p.rawUnread(string(p.buf))
		expect[*amqp.ConnectionStart](p, 0)
		expect[*amqp.ConnectionTune](p, 0)
		expect[*amqp.ConnectionOpenOk](p, 0)
		expect[*amqp.ChannelOpenOk](p, 1)
		p.wantReturn(1, "", "absent", "m")
	})
}

func TestConnectionClose_1_4_2_9_DuringTheHandshake(t *testing.T) {
	inBubble(t, Options{}, func(b *broker) {
		p := b.greeted()
		p.raw(frameOf(8, 0, "")) // a heartbeat at any time
		ask[*amqp.ConnectionTune](p, 0, client{}.startOk())
		p.bye()
	})
}

// Before tune-ok a frame may be longer than the spec's 4096, for tokens as
// passwords, but not by much.
func TestConnectionStartOk_RabbitMQ_FrameMaxBeforeTune(t *testing.T) {
	login := func(size int) client {
		return client{mechanism: "PLAIN", response: "\x00guest\x00" + strings.Repeat("x", size)}
	}
	inBubble(t, Options{}, func(b *broker) {
		p := b.greeted()
		p.send(0, login(7000).startOk())
		p.wantClose(0, 403, "ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN. For details see the broker logfile.", 0)

		p = b.greeted()
		p.add(0, login(9000).startOk())
		size := len(p.buf) - amqp.FrameOverhead
		p.rawUnread(string(p.buf))
		e := p.next("a close")
		m, ok := e.m.(*amqp.ConnectionClose)
		if want := "{frame_too_large," + strconv.Itoa(size) + ",8184}"; !ok || m.ReplyCode != 501 || !strings.HasSuffix(m.ReplyText, want) {
			t.Errorf("want a close with 501 …%s, got %v", want, e)
		}
	})
}

func TestConnection_RabbitMQ_HandshakeTimeout(t *testing.T) {
	for name, begin := range map[string]func(p *peer){
		"nothing is sent": func(p *peer) {},
		"half a header":   func(p *peer) { p.raw("AMQP") },
		"no start-ok":     func(p *peer) { p.raw(amqp.ProtocolHeader); expect[*amqp.ConnectionStart](p, 0) },
		"half a start-ok": func(p *peer) {
			p.raw(amqp.ProtocolHeader + "\x01\x00\x00\x00\x00\x01\x00")
			expect[*amqp.ConnectionStart](p, 0)
		},
		"no connection.open": func(p *peer) { p.raw(amqp.ProtocolHeader); expect[*amqp.ConnectionStart](p, 0); tuneUp(p) },
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, Options{}, func(b *broker) {
				p := b.dial()
				start := time.Now()
				begin(p)
				p.patience = time.Minute
				p.wantEnd()
				if took := time.Since(start); took != 10*time.Second {
					t.Errorf("the socket was closed after %s, want 10s", took)
				}
				b.peer()
			})
		})
	}
}

// tuneUp goes on to where connection.open is missing.
func tuneUp(p *peer) {
	tune := ask[*amqp.ConnectionTune](p, 0, client{}.startOk())
	p.send(0, client{}.tuneOk(tune))
}

// An open connection has all the time in the world.
func TestConnection_RabbitMQ_HandshakeTimeoutEndsWithIt(t *testing.T) {
	inBubble(t, Options{HandshakeTimeout: time.Second}, func(b *broker) {
		p := b.peer()
		time.Sleep(24 * time.Hour)
		p.probe(1)
	})
}

// refuser lets nobody in, and says so in its own words.
type refuser struct{ err error }

func (r refuser) Authenticate(string, string, net.Addr) (auth.User, error) { return auth.User{}, r.err }

func TestOptions_AuthErrorsStayInTheLog(t *testing.T) {
	inBubble(t, Options{Auth: refuser{errors.New("directory is down")}}, func(b *broker) {
		p := b.greeted()
		p.send(0, client{}.startOk())
		p.wantClose(0, 403, "ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN. For details see the broker logfile.", 0)
		synctest.Wait()
		if log := b.log.String(); !strings.Contains(log, "directory is down") || strings.Contains(log, `\u0000`) {
			t.Errorf("log:\n%s", log)
		}
	})
}
