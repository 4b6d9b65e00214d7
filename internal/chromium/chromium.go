// Package chromium is the real browser in which tests look at pages.
package chromium

import (
	"context"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// Lacking fails the test under make test, which installs what tests need, and else says what was not tested.
func Lacking(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("PERMESSO_TEST_REQUIRED") == "1" {
		t.Fatalf("there is no %s here, and PERMESSO_TEST_REQUIRED=1 asks for it: run .ci/install chromium axe", what)
	}
	t.Logf("there is no %s here: what people see was NOT tested. Run .ci/install chromium axe", what)
}

// Start starts Chromium for a test, for three minutes at most; nil when it is Lacking.
func Start(t *testing.T) context.Context {
	t.Helper()
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); err == nil {
			path = found
			break
		}
	}
	if path == "" {
		Lacking(t, "Chromium")
		return nil
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun, chromedp.Flag("headless", true),
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true),
		chromedp.Flag("hide-scrollbars", true), chromedp.UserDataDir(t.TempDir()), chromedp.WSURLReadTimeout(time.Minute))
	allocator, cancel := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(cancel)
	ctx, cancel := chromedp.NewContext(allocator)
	t.Cleanup(func() {
		_ = chromedp.Cancel(ctx) // waits until the browser has left its directory
		cancel()
	})
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("starting Chromium: %v", err)
	}
	ctx, cancel = context.WithTimeout(ctx, 3*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// In runs one step in the browser and returns what it found.
func In[T any](t *testing.T, ctx context.Context, step chromedp.Action[T]) T {
	t.Helper()
	found, err := chromedp.Run(ctx, step)
	if err != nil {
		t.Fatal(err)
	}
	return found
}
