package console_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"image"
	"image/png"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/permesso/permesso/internal/chromium"
	"github.com/permesso/permesso/internal/console"
	"github.com/permesso/permesso/internal/report"
	"github.com/permesso/permesso/sender"
)

var update = flag.Bool("update", false, "write docs/console.png, the picture in the README")

// complaints gathers what the browser has against a page: console errors, exceptions, refused scripts and styles, failed requests.
type complaints struct {
	mu   sync.Mutex
	said []string
}

func (c *complaints) add(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.said = append(c.said, fmt.Sprintf(format, args...))
}

func (c *complaints) all() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]string(nil), c.said...)
}

func listen(t *testing.T, ctx context.Context) *complaints {
	t.Helper()
	c := &complaints{}
	err := chromedp.Listen(ctx, func(event any) {
		switch e := event.(type) {
		case *log.EventEntryAdded:
			c.add("%s %s: %s %s", e.Entry.Source, e.Entry.Level, e.Entry.Text, e.Entry.URL)
		case *runtime.EventExceptionThrown:
			c.add("exception: %s", e.ExceptionDetails.Text)
		case *runtime.EventConsoleAPICalled:
			c.add("console.%s with %d arguments", e.Type, len(e.Args))
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// look is one way to see a page.
type look struct {
	name          string
	width, height int64
	scheme        string
}

var looks = []look{{"1280-light", 1280, 800, "light"}, {"1280-dark", 1280, 800, "dark"}, {"360-light", 360, 760, "light"}, {"360-dark", 360, 760, "dark"}}

func (l look) wear() chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: l.width, Height: l.height, DeviceScaleFactor: 1})
		if err != nil {
			return err
		}
		_, err = cdp.Call(ctx, t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: l.scheme}, {Name: "prefers-reduced-motion", Value: "reduce"}},
		})
		return err
	})
}

func scripts(disabled bool) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: disabled})
		return err
	})
}

var pagesSeen = map[string]string{
	"runs": "/", "run": "/runs/20261127-1700-k3f9xa", "log": "/log", "wrong": "/log?phone=12", "problem": "/nowhere", "none": "/?campaign=nobody-yet", "reviews": "/reviews",
}

func TestBrowserShowsEveryPageWithoutComplaint(t *testing.T) {
	ctx := chromium.Start(t)
	if ctx == nil {
		return
	}
	server := httptest.NewServer(console.New(withReviews(texts())))
	t.Cleanup(server.Close)
	for name, path := range pagesSeen {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := chromedp.NewContext(ctx)
			defer cancel()
			complaints := listen(t, ctx)
			for _, l := range append(looks, look{"320-light", 320, 640, "light"}) {
				chromium.In(t, ctx, chromedp.Steps(l.wear(), chromedp.Navigate(server.URL+path), chromedp.WaitReady(chromedp.CSS("main"))))
				chromium.In(t, ctx, chromedp.Evaluate[bool](`document.querySelectorAll("tr:nth-child(1) details, tr:nth-child(4) details").forEach(d => d.open = true), true`))
				wide, inner := chromium.In(t, ctx, chromedp.Evaluate[int]("document.documentElement.scrollWidth")), chromium.In(t, ctx, chromedp.Evaluate[int]("window.innerWidth"))
				if wide > inner {
					t.Errorf("%s: the page is %d px wide in a window of %d: it scrolls sideways", l.name, wide, inner)
				}
				keep(t, name+"-"+l.name+".png", chromium.In(t, ctx, chromedp.FullScreenshot(100)))
			}
			for _, said := range complaints.all() {
				if name != "wrong" && name != "problem" || !strings.Contains(said, "Failed to load resource") { // their 400 and 404
					t.Errorf("the browser complains: %s", said)
				}
			}
		})
	}
}

// keep leaves a picture where `go test -artifacts` collects it, and checks that something is on it.
func keep(t *testing.T, name string, picture []byte) {
	t.Helper()
	drawn, err := png.Decode(bytes.NewReader(picture))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if colours := coloursOf(drawn, 5); colours < 5 {
		t.Errorf("%s has %d colours: the page is bare of its styles", name, colours)
	}
	if err := os.WriteFile(filepath.Join(t.ArtifactDir(), name), picture, 0o600); err != nil {
		t.Fatal(err)
	}
}

// coloursOf counts the colours of a picture, no further than enough.
func coloursOf(picture image.Image, enough int) int {
	seen := map[[3]uint32]bool{}
	bounds := picture.Bounds()
	for y := bounds.Min.Y; y < bounds.Max.Y; y += 3 {
		for x := bounds.Min.X; x < bounds.Max.X; x += 3 {
			r, g, b, _ := picture.At(x, y).RGBA()
			if seen[[3]uint32{r, g, b}] = true; len(seen) == enough {
				return enough
			}
		}
	}
	return len(seen)
}

func TestBrowserFiguresMoveAndSayWhenTheyDoNot(t *testing.T) {
	ctx := chromium.Start(t)
	if ctx == nil {
		return
	}
	store := aurora()
	calls := 0
	store.onSummary = func(id string, s report.Summary) report.Summary {
		if id == store.runs[0].ID {
			calls++
			s.States = map[sender.State]int{sender.Delivered: 1000 * calls, sender.Queued: 90000}
		}
		return s
	}
	server := httptest.NewServer(console.New(optionsOf(store)))
	defer server.Close()
	complaints := listen(t, ctx)
	const figure = `document.querySelector("#live .figures").textContent`
	chromium.In(t, ctx, chromedp.Steps(chromedp.Navigate(server.URL+"/"), chromedp.WaitReady(chromedp.CSS("#live"))))
	first := chromium.In(t, ctx, chromedp.Evaluate[string](figure))
	chromium.In(t, ctx, chromedp.Focus(chromedp.CSS("#live h3 a")))
	chromium.In(t, ctx, chromedp.Poll[bool](fmt.Sprintf("%s !== %q", figure, first), chromedp.WithPollingInterval(100*time.Millisecond), chromedp.WithPollingTimeout(30*time.Second)))
	focused := chromium.In(t, ctx, chromedp.Evaluate[string]("document.activeElement.id"))
	if want := "link-" + store.runs[0].ID; focused != want {
		t.Errorf("after the figures moved the keyboard is at %q, want %q", focused, want)
	}
	if said := complaints.all(); len(said) > 0 {
		t.Errorf("the browser complains: %q", said)
	}

	server.CloseClientConnections()
	server.Close()
	chromium.In(t, ctx, chromedp.WaitVisible(chromedp.CSS("#stale")))
	notice := chromium.In(t, ctx, chromedp.Text(chromedp.CSS("#stale")))
	if !strings.Contains(notice, "Not live: no answer since") {
		t.Errorf("the page says %q", notice)
	}
}

func TestBrowserSearchesByKeyboardWithoutJavaScript(t *testing.T) {
	ctx := chromium.Start(t)
	if ctx == nil {
		return
	}
	server := httptest.NewServer(console.New(optionsOf(aurora())))
	defer server.Close()
	chromium.In(t, ctx, chromedp.Steps(scripts(true), chromedp.Navigate(server.URL+"/"), chromedp.WaitReady(chromedp.CSS("progress")),
		chromedp.Click(chromedp.CSS(`nav a[href="/log"]`)), chromedp.WaitReady(chromedp.CSS("#phone")),
		chromedp.SendKeys(chromedp.CSS("#phone"), "347 12 30000\r"), chromedp.WaitReady(chromedp.CSS(`.go a[href="/log"]`)), scripts(false)))
	rows, states := chromium.In(t, ctx, chromedp.Evaluate[int](`document.querySelectorAll("tbody tr").length`)), chromium.In(t, ctx, chromedp.Text(chromedp.CSS("tbody")))
	if rows != 5 || !strings.Contains(states, "+393471230000") {
		t.Errorf("the search shows %d rows: %s", rows, states)
	}
}

// TestScreenshot draws the README's picture; with -update it keeps it.
func TestScreenshot(t *testing.T) {
	ctx := chromium.Start(t)
	if ctx == nil {
		return
	}
	server := httptest.NewServer(console.New(optionsOf(aurora())))
	defer server.Close()
	chromium.In(t, ctx, chromedp.Steps(look{"readme", 1280, 832, "light"}.wear(), chromedp.Navigate(server.URL+"/"), chromedp.WaitVisible(chromedp.CSS(".is-live .pulse"))))
	picture := chromium.In(t, ctx, chromedp.CaptureScreenshot())
	if len(picture) > 200_000 {
		t.Errorf("the picture has %d bytes: too many for a README", len(picture))
	}
	keep(t, "console.png", picture)
	if !*update {
		return
	}
	const target = "../../docs/console.png"
	if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil && !errors.Is(err, os.ErrExist) {
		t.Fatal(err)
	}
	if err := os.WriteFile(target, picture, 0o644); err != nil {
		t.Fatal(err)
	}
}
