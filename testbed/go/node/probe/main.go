// Command probe tells from inside a pod what can be reached, and answers where it is to be reached.
//
//	probe serve   tcp:80 udp:53 …              answers on these ports of every address until it is killed
//	probe connect tcp:1.1.1.1:443 udp:[::1]:53 … tries all targets at once and writes one JSON object, target to outcome
//	probe watch   5s tcp:169.254.169.254:80     tries one target again and again for that long, from the first moment
//
// Outcomes: open, refused (an answer says no), timeout (no answer), unreachable (no route), or an error in its own words.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"
)

// A busy node answers late; what is closed costs this once, because targets are tried side by side.
const timeout = 3 * time.Second

// Pause between two attempts of watch.
const interval = 10 * time.Millisecond

// A query for the name servers of the root: name servers answer it, and so does serve.
var query = []byte{0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 1}

func main() {
	if len(os.Args) < 3 {
		fatal(errors.New("usage: probe serve|connect|watch …"))
	}
	switch args := os.Args[2:]; os.Args[1] {
	case "serve":
		serve(args)
	case "connect":
		write(connect(args))
	case "watch":
		if len(args) != 2 {
			fatal(errors.New("usage: probe watch DURATION TARGET"))
		}
		duration, err := time.ParseDuration(args[0])
		if err != nil {
			fatal(err)
		}
		write(watch(duration, args[1]))
	default:
		fatal(fmt.Errorf("no such command: %s", os.Args[1]))
	}
}

func connect(targets []string) map[string]string {
	outcomes := make([]string, len(targets))
	var group sync.WaitGroup
	for i, target := range targets {
		group.Add(1)
		go func() {
			defer group.Done()
			outcomes[i] = try(target, timeout)
		}()
	}
	group.Wait()
	result := map[string]string{}
	for i, target := range targets {
		result[target] = outcomes[i]
	}
	return result
}

// watched is what watch writes: milliseconds count from the start of the process.
type watched struct {
	Attempts       int      `json:"attempts"`
	Reached        int      `json:"reached"`
	FirstReachedMs *float64 `json:"firstReachedMs"`
	LastReachedMs  *float64 `json:"lastReachedMs"`
}

func watch(duration time.Duration, target string) watched {
	var result watched
	for begin := time.Now(); time.Since(begin) < duration; time.Sleep(interval) {
		at := float64(time.Since(begin).Microseconds()) / 1000
		result.Attempts++
		// Short, so that an attempt whose packets are dropped does not hide the next ones.
		if try(target, 200*time.Millisecond) == "open" {
			result.Reached++
			if result.FirstReachedMs == nil {
				result.FirstReachedMs = &at
			}
			result.LastReachedMs = &at
		}
	}
	return result
}

func try(target string, timeout time.Duration) string {
	network, address, _ := strings.Cut(target, ":")
	conn, err := net.DialTimeout(network, address, timeout)
	if err != nil {
		return outcome(err)
	}
	defer conn.Close()
	if network == "tcp" {
		return "open"
	}
	conn.SetDeadline(time.Now().Add(timeout))
	if _, err := conn.Write(query); err != nil {
		return outcome(err)
	}
	if _, err := conn.Read(make([]byte, 512)); err != nil {
		return outcome(err)
	}
	return "open"
}

func outcome(err error) string {
	var timeout net.Error
	switch {
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.EPERM), errors.Is(err, syscall.EACCES):
		return "refused"
	case errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EHOSTUNREACH):
		return "unreachable"
	case errors.As(err, &timeout) && timeout.Timeout():
		return "timeout"
	default:
		return err.Error()
	}
}

func serve(ports []string) {
	for _, port := range ports {
		network, number, _ := strings.Cut(port, ":")
		switch network {
		case "tcp":
			listener, err := net.Listen("tcp", ":"+number)
			if err != nil {
				fatal(err)
			}
			go accept(listener)
		case "udp":
			conn, err := net.ListenUDP("udp", must(net.ResolveUDPAddr("udp", ":"+number)))
			if err != nil {
				fatal(err)
			}
			go echo(conn)
		default:
			fatal(fmt.Errorf("neither tcp nor udp: %s", port))
		}
	}
	fmt.Println("serving", strings.Join(ports, " "))
	select {}
}

// accept answers every connection with who it is and whom it sees, as an HTTP response that wget and curl understand.
func accept(listener net.Listener) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			fatal(err)
		}
		go func() {
			defer conn.Close()
			conn.SetDeadline(time.Now().Add(timeout))
			conn.Read(make([]byte, 4096))
			body := fmt.Sprintf("%s saw %s\n", conn.LocalAddr(), conn.RemoteAddr())
			fmt.Fprintf(conn, "HTTP/1.0 200 OK\r\ncontent-type: text/plain\r\ncontent-length: %d\r\n\r\n%s", len(body), body)
		}()
	}
}

// echo sends datagrams back from the address they came to: a client takes an answer from elsewhere for a stranger's.
func echo(conn *net.UDPConn) {
	if err := wantDestination(conn); err != nil {
		fatal(err)
	}
	data, control := make([]byte, 512), make([]byte, 128)
	for {
		n, m, _, from, err := conn.ReadMsgUDP(data, control)
		if err != nil {
			fatal(err)
		}
		conn.WriteMsgUDP(data[:n], control[:m], from)
	}
}

// wantDestination has the kernel tell with each datagram which of our addresses it came to, in the form that it takes for an
// answer's source. A socket for all addresses speaks IPv6, also with IPv4 addresses.
func wantDestination(conn *net.UDPConn) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Control(func(fd uintptr) {
		failed = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_IPV6, syscall.IPV6_RECVPKTINFO, 1)
	})
	return errors.Join(err, failed)
}

func write(value any) {
	if err := json.NewEncoder(os.Stdout).Encode(value); err != nil {
		fatal(err)
	}
}

func must[T any](value T, err error) T {
	if err != nil {
		fatal(err)
	}
	return value
}

func fatal(err error) {
	fmt.Fprintln(os.Stderr, "probe:", err)
	os.Exit(1)
}
