package graph

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptrace"
	"net/url"

	"github.com/permesso/permesso/internal/errcode"
	"github.com/permesso/permesso/sender"
)

const (
	templateFields = "id,name,language,status,category,sub_category,components,parameter_format,quality_score,rejected_reason," +
		"correct_category,previous_category,last_updated_time,message_send_ttl_seconds"
	templatesPerPage = "100"
	// maxPages is 16 times the 6,000 templates that an account may have (Meta, "Templates", read 2026-09-11).
	maxPages = 1000
	// staleCursor is Meta's code for a page that can no longer be asked for: the list must be read again from its start.
	staleCursor = 131059
)

// Templates reads every template of the account, as Meta lists them. Either all are returned or an error: half a
// catalogue would make approved templates look deleted.
func (c *Client) Templates(ctx context.Context) ([]json.RawMessage, error) {
	return c.templates(ctx, "")
}

// Template reads every language of one template, none when Meta does not have it.
func (c *Client) Template(ctx context.Context, name string) ([]json.RawMessage, error) {
	if name == "" {
		return nil, errcode.With(errors.New("reading a template: it has no name"), errcode.TemplateAbsent)
	}
	list, err := c.templates(ctx, name)
	if err != nil {
		return nil, err
	}
	// Meta's filter finds names that merely contain the text.
	var named []json.RawMessage
	for _, entry := range list {
		var t struct {
			Name word `json:"name"`
		}
		if json.Unmarshal(entry, &t) == nil && string(t.Name) == name {
			named = append(named, entry)
		}
	}
	return named, nil
}

func (c *Client) templates(ctx context.Context, name string) ([]json.RawMessage, error) {
	if c.account == "" {
		return nil, errcode.With(errors.New("reading templates: no account id is configured"), errcode.NoAccount)
	}
	list, err := c.listTemplates(ctx, name)
	if refused, ok := errors.AsType[*sender.Error](err); ok && refused.Code == staleCursor {
		list, err = c.listTemplates(ctx, name)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the templates of account %s: %w", c.account, err)
	}
	return list, nil
}

func (c *Client) listTemplates(ctx context.Context, name string) ([]json.RawMessage, error) {
	query := url.Values{"fields": {templateFields}, "limit": {templatesPerPage}}
	if name != "" {
		query.Set("name", name)
	}
	var list []json.RawMessage
	seen := map[string]bool{}
	for range maxPages {
		var page struct {
			Data   *[]json.RawMessage `json:"data"`
			Paging struct {
				Cursors struct {
					After word `json:"after"`
				} `json:"cursors"`
				Next word `json:"next"`
			} `json:"paging"`
		}
		if err := c.get(ctx, "/"+c.account+"/message_templates", query, &page); err != nil {
			return nil, err
		}
		if page.Data == nil {
			return nil, errcode.With(errors.New("the answer has no list of templates in it"), errcode.MetaStrange)
		}
		list = append(list, *page.Data...)
		if page.Paging.Next == "" {
			return list, nil
		}
		after := string(page.Paging.Cursors.After)
		if after == "" {
			// The host of next is not followed: behind a proxy or with the sandbox it is another one.
			if next, err := url.Parse(string(page.Paging.Next)); err == nil {
				after = next.Query().Get("after")
			}
		}
		if after == "" || seen[after] {
			return nil, errcode.With(fmt.Errorf("the list says that it goes on after %d templates but not where; ask again later", len(list)), errcode.MetaStrange)
		}
		seen[after] = true
		query.Set("after", after)
	}
	return nil, errcode.With(fmt.Errorf("the list does not end after %d pages", maxPages), errcode.MetaStrange)
}

// get reads a JSON object. The error is a *sender.Error, wrapped, when Meta refused.
func (c *Client) get(ctx context.Context, path string, query url.Values, into any) error {
	token := c.token()
	req, err := c.request(http.MethodGet, path, token)
	if err != nil {
		return err
	}
	req.URL.RawQuery = query.Encode()
	ctx, cancel := context.WithTimeoutCause(ctx, c.timeout, errNoAnswer)
	defer cancel()
	r, err := c.exchange(req.WithContext(httptrace.WithClientTrace(ctx, reading())), maxPage)
	if err != nil {
		return errcode.With(scrub(err, token), errcode.MetaUnreachable)
	}
	defer c.release(r)
	a, ok := readAnswer(r.body)
	if ok && a.Error.isGraph() {
		refused := a.Error.classify(r, token)
		return errcode.With(refused, Code(refused.Code))
	}
	if r.cut != nil {
		return errcode.With(fmt.Errorf("the answer broke off: %w", scrub(r.cut, token)), errcode.MetaUnreachable)
	}
	if r.status != http.StatusOK {
		return errcode.With(fmt.Errorf("status %d with %d bytes that are no Graph answer; is graph.base_url right?", r.status, len(r.body)), errcode.MetaStrange)
	}
	if err := json.Unmarshal(r.body, into); err != nil {
		return errcode.With(fmt.Errorf("the answer is not what was asked for: %w", err), errcode.MetaStrange)
	}
	return nil
}
