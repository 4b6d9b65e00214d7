package console_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
)

func TestCalendarFeed(t *testing.T) {
	const feed = "BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n"
	options, log := logged(aurora())
	if answer := get(t, options, "/calendar.ics"); answer.Code != http.StatusNotFound {
		t.Errorf("without a calendar: status %d", answer.Code)
	}
	options.Calendar = func() ([]byte, error) { return []byte(feed), nil }
	answer := get(t, options, "/calendar.ics")
	if answer.Code != http.StatusOK || answer.Body.String() != feed || answer.Header().Get("Content-Type") != "text/calendar; charset=utf-8" {
		t.Errorf("status %d, %s, %q", answer.Code, answer.Header().Get("Content-Type"), answer.Body)
	}
	options.Calendar = func() ([]byte, error) { return nil, errors.New("a schedule cannot be read") }
	if answer := get(t, options, "/calendar.ics"); answer.Code != http.StatusInternalServerError || !strings.Contains(log.String(), "a schedule cannot be read") {
		t.Errorf("status %d, logged %s", answer.Code, log)
	}
}
