package graph

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/permesso/permesso/sender"
)

// Send posts one message and says what is known of it. It never sends anything twice. ctx and post.BeginBy can only
// keep it from beginning; once the first byte is written the answer is waited for, for as long as Options.Timeout.
//
// The Result is NotSent exactly when not one byte of the request was written; else it is what the answer says: Taken or
// TakenHeld by 200, Refused by a Graph error object with whatever other status, and Ambiguous by all else.
func (c *Client) Send(ctx context.Context, post sender.Post) sender.Result {
	notSent := func(err error) sender.Result {
		return sender.Result{Fate: sender.NotSent, Late: errors.Is(err, errTooLate), Cause: fmt.Errorf("posting a message: %w", err)}
	}
	if !idForm.MatchString(post.NumberID) || (post.Edge != "messages" && post.Edge != "marketing_messages") {
		return notSent(fmt.Errorf("there is no address /%s/%s to post to", post.NumberID, post.Edge))
	}
	if len(post.Body) == 0 {
		return notSent(errors.New("the message is empty"))
	}
	if late(time.Now(), post.BeginBy) {
		return notSent(errTooLate)
	}
	token := c.token()
	req, err := c.request(http.MethodPost, "/"+post.NumberID+"/"+post.Edge, token)
	if err != nil {
		return notSent(err)
	}
	req.Header["Content-Type"] = []string{"application/json"}
	req.ContentLength = int64(len(post.Body))
	req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(post.Body)), nil }
	req.Body, _ = req.GetBody()

	x, own := newExchange(ctx, post.BeginBy, c.timeout)
	stop := context.AfterFunc(ctx, x.abandon)
	defer stop()
	reply, err := c.exchange(req.WithContext(own), maxAnswer)
	switch begun := x.finish(); {
	case !begun && err == nil:
		return notSent(errors.New("the server answered before anything was sent"))
	case !begun:
		return notSent(scrub(err, token))
	case err != nil:
		return sender.Result{Fate: sender.Ambiguous, Cause: fmt.Errorf("posting a message: its answer was lost: %w", scrub(err, token))}
	}
	defer c.release(reply)
	return c.judge(reply, token)
}

// reply is an answer as far as it could be read.
type reply struct {
	status int
	header http.Header
	body   []byte
	cut    error // why the body ends early, nil when it is whole
	buffer *[]byte
}

// exchange does one round trip, without redirects, and reads at most limit bytes of the answer.
func (c *Client) exchange(req *http.Request, limit int64) (reply, error) {
	resp, err := c.transport.RoundTrip(req)
	if err != nil {
		return reply{}, err
	}
	defer resp.Body.Close()
	r := reply{status: resp.StatusCode, header: resp.Header, buffer: c.buffers.Get().(*[]byte)}
	body := bytes.NewBuffer((*r.buffer)[:0])
	n, err := body.ReadFrom(io.LimitReader(resp.Body, limit+1))
	if err == nil && n > limit {
		err = fmt.Errorf("the answer is longer than %d bytes", limit)
	}
	r.body, r.cut = body.Bytes(), err
	return r, nil
}

// release gives the reply's buffer back.
func (c *Client) release(r reply) {
	if cap(r.body) <= maxAnswer {
		*r.buffer = r.body[:0]
	}
	c.buffers.Put(r.buffer)
}

// judge reads the answer to a message.
func (c *Client) judge(r reply, token string) sender.Result {
	a, ok := quickAnswer(r.body)
	if !ok {
		a, ok = readAnswer(r.body)
	}
	if ok && a.Error.isGraph() && r.status >= 400 {
		return sender.Result{Fate: sender.Refused, Err: a.Error.classify(r, token)}
	}
	if r.status != http.StatusOK || a.Error.isGraph() {
		cause := fmt.Errorf("posting a message: status %d with %d bytes that are no Graph answer", r.status, len(r.body))
		if r.cut != nil {
			cause = fmt.Errorf("%w: %w", cause, scrub(r.cut, token))
		}
		c.log.LogAttrs(context.Background(), slog.LevelWarn, "Meta's answer cannot be read; the message may have been taken",
			slog.Int("status", r.status), slog.Int("bytes", len(r.body)))
		return sender.Result{Fate: sender.Ambiguous, Cause: cause}
	}
	result := sender.Result{Fate: sender.Taken}
	if len(a.Contacts) > 0 {
		result.WaID, result.UserID = string(a.Contacts[0].WaID), string(a.Contacts[0].UserID)
	}
	if len(a.Messages) == 0 || a.Messages[0].ID == "" {
		// 200 means accepted (Meta, "Send messages", read 2026-09-11), whatever else was lost on the way.
		c.log.LogAttrs(context.Background(), slog.LevelWarn, "Meta took a message, but its id cannot be read; its status webhook will tell",
			slog.Int("bytes", len(r.body)))
		return result
	}
	result.WAMID = string(a.Messages[0].ID)
	switch strings.ToLower(string(a.Messages[0].Status)) {
	case "held_for_quality_assessment", "paused":
		// "paused" has an id like the others and no page says that it will not go out later: it is kept, never sent again.
		result.Fate = sender.TakenHeld
	}
	return result
}
