// gRPC of Go for the matrix of data planes, proxyless; the same commands and lines as ../grpc-echo.mjs.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"net"
	"os"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	xdscreds "google.golang.org/grpc/credentials/xds"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/xds"
)

const method = "/matrix.Echo/Say"

// Messages are texts, not protocol buffers.
type texts struct{}

func (texts) Name() string { return "proto" }

func (texts) Marshal(value any) ([]byte, error) { return []byte(*value.(*string)), nil }

func (texts) Unmarshal(bytes []byte, value any) error {
	*value.(*string) = string(bytes)
	return nil
}

func serve(port, name string) error {
	credentials, err := xdscreds.NewServerCredentials(xdscreds.ServerOptions{FallbackCreds: insecure.NewCredentials()})
	if err != nil {
		return err
	}
	server, err := xds.NewGRPCServer(grpc.Creds(credentials), grpc.ForceServerCodec(texts{}))
	if err != nil {
		return err
	}
	say := func(_ any, _ context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
		var asked string
		return &name, decode(&asked)
	}
	server.RegisterService(&grpc.ServiceDesc{
		ServiceName: "matrix.Echo",
		HandlerType: (*any)(nil),
		Methods:     []grpc.MethodDesc{{MethodName: "Say", Handler: say}},
	}, struct{}{})
	listener, err := net.Listen("tcp", net.JoinHostPort(os.Getenv("BIPLANE_POD_IP"), port))
	if err != nil {
		return err
	}
	fmt.Println("serving")
	return server.Serve(listener)
}

type ask struct {
	Name    string            `json:"name"`
	Target  string            `json:"target"`
	Headers map[string]string `json:"headers"`
	EveryMs int               `json:"everyMs"`
	Workers int               `json:"workers"`
}

// What callers have seen so far, as it is printed.
type seen struct {
	lock        sync.Mutex
	Counts      map[string]int `json:"counts"`
	SlowestMs   int64          `json:"slowestMs"`
	LastFailure string         `json:"lastFailure,omitempty"`
}

func (s *seen) note(one ask, what, failure string, took time.Duration) {
	s.lock.Lock()
	defer s.lock.Unlock()
	s.Counts[one.Name+" "+what]++
	s.SlowestMs = max(s.SlowestMs, took.Milliseconds())
	if failure != "" {
		s.LastFailure = fmt.Sprintf("%s %s: %s", time.Now().Format(time.RFC3339Nano), one.Name, failure)
	}
}

func (s *seen) print() error {
	s.lock.Lock()
	defer s.lock.Unlock()
	return json.NewEncoder(os.Stdout).Encode(s)
}

func call(channel *grpc.ClientConn, one ask) (what, failure string) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	for name, value := range one.Headers {
		ctx = metadata.AppendToOutgoingContext(ctx, name, value)
	}
	asked, answer := "x", ""
	if err := channel.Invoke(ctx, method, &asked, &answer, grpc.ForceCodec(texts{})); err != nil {
		return upper(status.Code(err)), err.Error()
	}
	return "OK " + answer, ""
}

func work(one ask, all *seen) error {
	credentials, err := xdscreds.NewClientCredentials(xdscreds.ClientOptions{FallbackCreds: insecure.NewCredentials()})
	if err != nil {
		return err
	}
	// a channel that has lost its connection is not to wait longer than the test does
	retries := backoff.Config{BaseDelay: 100 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: 500 * time.Millisecond}
	channel, err := grpc.NewClient("xds:///"+one.Target,
		grpc.WithTransportCredentials(credentials),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: retries, MinConnectTimeout: 5 * time.Second}))
	if err != nil {
		return err
	}
	every := time.Duration(one.EveryMs) * time.Millisecond
	if one.EveryMs == 0 {
		every = 10 * time.Millisecond
	}
	for ; ; time.Sleep(every) {
		begin := time.Now()
		what, failure := call(channel, one)
		all.note(one, what, failure, time.Since(begin))
	}
}

// Go spells codes its own way (PermissionDenied, Canceled); others as the specification does.
func upper(code codes.Code) string {
	if code == codes.Canceled {
		return "CANCELLED"
	}
	text := code.String()
	name := ""
	for i, letter := range text {
		if i > 0 && letter >= 'A' && letter <= 'Z' {
			name += "_"
		}
		name += string(letter &^ 0x20)
	}
	return name
}

func main() {
	if len(os.Args) == 4 && os.Args[1] == "serve" {
		log.Fatal(serve(os.Args[2], os.Args[3]))
	}
	if len(os.Args) != 3 || os.Args[1] != "call" {
		log.Fatal("usage: grpc-echo serve <port> <name> | call '<JSON of asks>'")
	}
	var asks []ask
	if err := json.Unmarshal([]byte(os.Args[2]), &asks); err != nil {
		log.Fatal(err)
	}
	all := &seen{Counts: map[string]int{}}
	for _, one := range asks {
		for i := 0; i < max(1, one.Workers); i++ {
			go func() { log.Fatal(work(one, all)) }()
		}
	}
	for ; ; time.Sleep(100 * time.Millisecond) {
		if err := all.print(); err != nil {
			log.Fatal(err)
		}
	}
}
