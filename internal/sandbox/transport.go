package sandbox

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strconv"
)

// Transport returns a RoundTripper that calls the sandbox without a socket, for
// bubbles of testing/synctest. A connection that the sandbox closes comes back
// as io.ErrUnexpectedEOF; the request's context ends the wait for an answer.
func (s *Server) Transport() http.RoundTripper { return direct{s} }

type direct struct{ server *Server }

func (d direct) RoundTrip(r *http.Request) (*http.Response, error) {
	in := r.Clone(r.Context())
	if in.Host == "" {
		in.Host = r.URL.Host
	}
	if in.Body == nil {
		in.Body = http.NoBody
	}
	in.RequestURI = r.URL.RequestURI()
	done := make(chan *answerRecorder, 1)
	go func() {
		out := &answerRecorder{header: http.Header{}}
		defer func() {
			_ = in.Body.Close()
			if v := recover(); v != nil {
				if err, ok := v.(error); !ok || !errors.Is(err, http.ErrAbortHandler) {
					panic(v)
				}
				out = nil
			}
			done <- out
		}()
		d.server.ServeHTTP(out, in)
	}()
	select {
	case out := <-done:
		if out == nil {
			return nil, io.ErrUnexpectedEOF
		}
		return out.response(r), nil
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
}

type answerRecorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (a *answerRecorder) Header() http.Header    { return a.header }
func (a *answerRecorder) WriteHeader(status int) { a.status = status }

func (a *answerRecorder) Write(b []byte) (int, error) {
	if a.status == 0 {
		a.status = http.StatusOK
	}
	return a.body.Write(b)
}

func (a *answerRecorder) response(r *http.Request) *http.Response {
	return &http.Response{
		Status: strconv.Itoa(a.status) + " " + http.StatusText(a.status), StatusCode: a.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: a.header, Body: io.NopCloser(&a.body), ContentLength: int64(a.body.Len()), Request: r,
	}
}
