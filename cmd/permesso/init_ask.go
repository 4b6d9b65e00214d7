package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/permesso/permesso/internal/config"
	"github.com/permesso/permesso/internal/errcode"
)

// question is one of those that init asks. take reads an answer into the options and says what is wrong with it, "" when
// nothing is that can be told before the whole is checked.
type question struct {
	what  string
	usual func(o config.InitOptions) string
	take  func(o *config.InitOptions, answer string) string
}

const later = "later"

// initQuestions are the five things that nothing sensible can be proposed for, or everything hangs on.
func (s *session) initQuestions() []question {
	nothing := func(config.InitOptions) string { return "" }
	return []question{
		{"Name of the business, as people know it", nothing, func(o *config.InitOptions, answer string) string {
			if answer == "" {
				return "the name is what people read first: write it"
			}
			o.Name = answer
			return ""
		}},
		{"Its country, two letters", func(config.InitOptions) string { return s.homeCountry() }, func(o *config.InitOptions, answer string) string {
			if len(answer) == len("it") {
				answer = strings.ToUpper(answer)
			}
			o.Country = answer
			return ""
		}},
		{"Its time zone", func(o config.InitOptions) string {
			zone, _ := config.Home(o.Country)
			return zone
		}, func(o *config.InitOptions, answer string) string {
			if answer == "" {
				return "the time zone is needed: write it as continent and city, such as Europe/Rome"
			}
			o.Timezone = answer
			return ""
		}},
		{"Language of its templates, such as it or pt_BR", func(o config.InitOptions) string {
			_, language := config.Home(o.Country)
			return language
		}, func(o *config.InitOptions, answer string) string {
			o.Language = answer
			return ""
		}},
		{"Ids of the WhatsApp Business Account and of the phone number, with a space between", func(config.InitOptions) string { return later }, takeIDs},
	}
}

func takeIDs(o *config.InitOptions, answer string) string {
	if answer == "" || strings.EqualFold(answer, later) {
		return ""
	}
	ids := strings.FieldsFunc(answer, func(r rune) bool { return r == ' ' || r == ',' || r == ';' || r == '\t' })
	if len(ids) != 2 {
		return "two ids are needed, first the account's, then the phone number's; both are in WhatsApp Manager, or write later"
	}
	o.AccountID, o.NumberID = ids[0], ids[1]
	return ""
}

// askInit asks each question until its answer is one that check would take. Nothing is written before all are answered.
func (s *session) askInit(ctx context.Context, o *config.InitOptions) error {
	lines := bufio.NewReader(s.in)
	for _, q := range s.initQuestions() {
		for wrong := "?"; wrong != ""; {
			usual := q.usual(*o)
			prompt := q.what + ": "
			if usual != "" {
				prompt = fmt.Sprintf("%s [%s]: ", q.what, usual)
			}
			answer, err := s.ask(ctx, lines, prompt)
			if err != nil {
				return err
			}
			*o, wrong, err = q.answered(*o, cmp.Or(answer, usual))
			if wrong != "" {
				err = s.print("  %s", strings.ReplaceAll(wrong, "\n", "\n  "))
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// answered returns the options with the answer in them, or as they were and what is wrong with it.
func (q question) answered(o config.InitOptions, answer string) (config.InitOptions, string, error) {
	tried := o
	if wrong := q.take(&tried, answer); wrong != "" {
		return o, wrong, nil
	}
	err := config.WriteInit(io.Discard, tried)
	if wrong := sentences(err); wrong != "" {
		return o, wrong, nil
	}
	return tried, "", err
}

// ask prints a prompt and waits for a line, or for the signal that ends the waiting: a terminal goes on reading then.
func (s *session) ask(ctx context.Context, lines *bufio.Reader, prompt string) (string, error) {
	if _, err := fmt.Fprint(s.out, prompt); err != nil {
		return "", errcode.With(fmt.Errorf("asking: %w", err), errcode.OutputFailed)
	}
	type reply struct {
		text string
		err  error
	}
	replied := make(chan reply, 1)
	go func() {
		text, err := lines.ReadString('\n')
		replied <- reply{text, err}
	}()
	select {
	case <-ctx.Done():
		return "", &interrupted{"interrupted: nothing was written"}
	case r := <-replied:
		if r.err != nil && r.text == "" {
			return "", errcode.With(errors.New("no answer: nothing was written"), errcode.NoAnswer)
		}
		return strings.TrimSpace(r.text), nil
	}
}
