package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/permesso/permesso/internal/errcode"
	"github.com/permesso/permesso/internal/sandbox"
)

// sandboxFlags are the flags of the sandbox.
type sandboxFlags struct {
	listen, templates, ledger string
	numbers                   []string
	perSecond                 float64
	o                         sandbox.Options
}

func (s *session) sandboxVerb() *cobra.Command {
	f := sandboxFlags{}
	cmd := s.verb(&cobra.Command{
		Use:   "sandbox [flags]",
		Short: "a fake WhatsApp Cloud API, for trying things out",
		Long: "Takes the calls that Meta would take and refuses what Meta would refuse; nothing leaves this machine. Point graph.base_url\n" +
			"at it. Numbers with these endings behave in a way of their own:\n\n" + suffixesInWords(),
		Example: "  permesso sandbox --webhook-url http://127.0.0.1:8080/webhook",
		Args:    exactly(),
	}, func(cmd *cobra.Command, _ []string) error {
		return s.sandbox(cmd.Context(), f)
	})
	flags := cmd.Flags()
	flags.StringVar(&f.listen, "listen", "127.0.0.1:8090", "the `ADDRESS` to listen on")
	flags.StringVar(&f.o.WebhookURL, "webhook-url", "", "the `URL` that statuses and answers are posted to; absent tells nobody")
	flags.StringVar(&f.o.Token, "token", "", "the access `TOKEN` that calls must carry; absent is $WHATSAPP_ACCESS_TOKEN, else sandbox")
	flags.StringVar(&f.o.AppSecret, "app-secret", "", "the `SECRET` that signs webhooks; absent is $WHATSAPP_APP_SECRET, else sandbox")
	flags.StringVar(&f.o.AccountID, "account-id", "500600700800", "the `ID` of the WhatsApp Business Account")
	flags.StringSliceVar(&f.numbers, "number", []string{"111222333444"}, "the `ID` of a phone number; may be given several times")
	flags.Float64Var(&f.perSecond, "messages-per-second", 0, "refuse what is faster than `N` with 130429; 0 is no limit")
	flags.StringVar(&f.templates, "templates", "", "a JSON `FILE` with a list of templates as Meta lists them; absent is a bookshop's")
	flags.StringVar(&f.ledger, "ledger", "", "a `FILE` that gets one JSON line for each message, on the disk before the message is answered")
	flags.DurationVar(&f.o.Latency, "latency", 0, "the `DURATION` of each answer, such as 80ms")
	flags.DurationVar(&f.o.StatusDelay, "status-delay", 0, "the `DURATION` between sent, delivered and read")
	flags.IntVar(&f.o.MessagingLimit, "messaging-limit", 0, "refuse with 131048 more than `N` people in any 24 hours; 0 is no limit")
	flags.IntVar(&f.o.OptOutEvery, "opt-out-every", 0, "each `N`th person answers STOP; 0 is nobody")
	return cmd
}

func suffixesInWords() string {
	var text strings.Builder
	for _, suffix := range sandbox.Suffixes() {
		fmt.Fprintf(&text, "  %s  %s\n", suffix.Digits, suffix.Description)
	}
	return strings.TrimRight(text.String(), "\n")
}

func (s *session) sandbox(ctx context.Context, f sandboxFlags) (err error) {
	o, err := s.sandboxOptions(f)
	if err != nil {
		return err
	}
	if f.ledger != "" {
		file, failure := os.OpenFile(f.ledger, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if failure != nil {
			return errcode.With(fmt.Errorf("opening the ledger: %w", failure), errcode.FileUnwritable)
		}
		defer func() { err = errors.Join(err, file.Close()) }()
		o.Ledger = file
	}
	server, err := sandbox.New(o)
	if err != nil {
		return misuse(errcode.InvalidFlagValue, "%w", err)
	}
	socket, err := net.Listen("tcp", f.listen)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return errcode.With(fmt.Errorf("%s is in use: stop the other program, or give --listen another address", f.listen), errcode.AddressInUse)
	case err != nil:
		return errcode.With(fmt.Errorf("--listen %s: %w", f.listen, err), errcode.AddressUnusable)
	}
	base := "http://" + socket.Addr().String()
	if err := s.done(map[string]string{"base_url": base, "account_id": o.AccountID},
		"The sandbox answers at %s. In config.yaml:\n\n  graph: {base_url: %s, account_id: %q, …}\n\nNothing leaves this machine. Ctrl-C ends it.", base, base, o.AccountID); err != nil {
		return errors.Join(err, socket.Close())
	}
	return serveSandbox(ctx, server, socket)
}

func (s *session) sandboxOptions(f sandboxFlags) (sandbox.Options, error) {
	o := f.o
	fill := func(into *string, variable string) {
		if *into == "" {
			*into, _ = s.env(variable)
		}
		if *into == "" {
			*into = "sandbox"
		}
	}
	fill(&o.Token, "WHATSAPP_ACCESS_TOKEN")
	fill(&o.AppSecret, "WHATSAPP_APP_SECRET")
	fill(&o.VerifyToken, "WHATSAPP_VERIFY_TOKEN")
	o.Logger = s.logger(slog.LevelInfo)
	for i, id := range f.numbers {
		o.Numbers = append(o.Numbers, sandbox.Number{ID: id, DisplayPhone: fmt.Sprintf("+39 06 1112 %04d", i), CountryCode: "39", MessagesPerSecond: f.perSecond})
	}
	o.Templates = sandbox.DemoTemplates()
	if f.templates == "" {
		return o, nil
	}
	text, err := os.ReadFile(f.templates)
	if err != nil {
		return o, misuse(errcode.FileMissing, "--templates: %w", err)
	}
	o.Templates = nil
	if err := json.Unmarshal(text, &o.Templates); err != nil {
		return o, misuse(errcode.FileNotJSON, "--templates %s is no JSON list of templates: %w", f.templates, err)
	}
	return o, nil
}

// serveSandbox answers until ctx is done.
func serveSandbox(ctx context.Context, server *sandbox.Server, socket net.Listener) error {
	web := &http.Server{Handler: server, ReadHeaderTimeout: 5 * time.Second}
	socket = sandbox.Watch(web, socket)
	statuses := make(chan error, 1)
	go func() { statuses <- server.Run(ctx) }()
	stop := context.AfterFunc(ctx, func() {
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		if web.Shutdown(grace) != nil {
			_ = web.Close() // what is still open after the grace is cut
		}
	})
	defer stop()
	err := web.Serve(socket)
	if errors.Is(err, http.ErrServerClosed) {
		err = nil
	}
	if ctx.Err() == nil {
		return err
	}
	if failure := <-statuses; failure != nil && !errors.Is(failure, context.Canceled) {
		err = errors.Join(err, failure)
	}
	return err
}
