package graph_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/permesso/permesso/internal/graph"
	"github.com/permesso/permesso/sender"
)

// Servers that repeat the token, or a person's number, where they should not do not get it into an error, a result or the log.
func TestTokenStaysSecret(t *testing.T) {
	const person = "+393331112223"
	half := secret[:len(secret)/2]
	echo := func(answer string) string {
		return listen(t, "http", func(c net.Conn) {
			http.ReadRequest(bufio.NewReader(c))
			io.WriteString(c, answer)
			c.Close()
		})
	}
	refusal := fmt.Sprintf(`{"error":{"code":190,"message":"Malformed access token %s","error_user_msg":"%s","error_data":{"details":"token %s, or '%s'…"},"fbtrace_id":"%s"}}`,
		secret, secret, secret, half, secret)
	unknown := fmt.Sprintf(`{"error":{"code":987654,"message":"Malformed access token %s"}}`, secret)
	bases := map[string]string{
		"in a refusal":           answering(t, 401, refusal),
		"in an unknown refusal":  answering(t, 400, unknown),
		"in a page":              answering(t, 500, secret),
		"in a taken answer":      answering(t, 200, secret),
		"in the status line":     echo("HTTP/1.1 " + secret + "\r\n\r\n"),
		"for an answer":          echo(secret + "\r\n\r\n"),
		"in a broken header":     echo("HTTP/1.1 200 OK\r\n" + secret + "\r\n\r\n"),
		"in a bad length":        echo("HTTP/1.1 200 OK\r\nContent-Length: " + secret + "\r\n\r\n"),
		"in a bad encoding":      echo("HTTP/1.1 200 OK\r\nTransfer-Encoding: " + secret + "\r\n\r\n"),
		"in a bad chunk":         echo("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + secret + "\r\n"),
		"a number for an answer": echo(person + "\r\n\r\n"),
		"a number for a length":  echo("HTTP/1.1 200 OK\r\nContent-Length: " + person + "\r\n\r\n"),
		"nowhere at all":         "http://nowhere.invalid",
	}
	for name, base := range bases {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			c := client(t, base, logging(&log), patience(time.Second))
			got := send(t, c)
			_, listing := c.Templates(t.Context())
			_, number := c.Number(t.Context(), "111222333444")
			said := fmt.Sprintf("%+v %+v %v %v %v %+v", got, got.Err, got.Cause, listing, number, c) + log.String()
			if strings.Contains(said, secret) || strings.Contains(said, half) || strings.Contains(said, person) {
				t.Errorf("the token or a number got out: %s", said)
			}
			if got.Fate == sender.Refused && !strings.Contains(got.Err.Error(), "[token]") {
				t.Errorf("the refusal lost its words: %v", got.Err)
			}
			if listing == nil || number == nil {
				t.Error("an answer that cannot be read was taken for a list or a number")
			}
		})
	}
}

// A sandbox takes any token, and one of a letter must not take that letter out of every sentence.
func TestShortTokenLeavesOtherWordsWhole(t *testing.T) {
	short := func(o *graph.Options) { o.Token = func() string { return "a" } }
	_, err := client(t, "http://127.0.0.1:1", short).Templates(t.Context())
	if err == nil || strings.Contains(err.Error(), "[token]") {
		t.Errorf("nobody answers: %v", err)
	}
	refusal := `{"error":{"code":190,"message":"Malformed access token a, or 'a'"}}`
	if _, err = client(t, answering(t, 401, refusal), short).Templates(t.Context()); err == nil || !strings.Contains(err.Error(), "Malformed access token [token], or '[token]'") {
		t.Errorf("a refusal that repeats it: %v", err)
	}
}
