package console

import (
	"net/http"
	"strconv"
)

// showCalendar is the feed that calendars subscribe to.
func (c *console) showCalendar(w http.ResponseWriter, r *http.Request) {
	feed, err := c.Calendar()
	if err != nil {
		c.failed(w, r, "reading the schedules", err)
		return
	}
	w.Header().Set("Content-Type", "text/calendar; charset=utf-8")
	w.Header().Set("Content-Length", strconv.Itoa(len(feed)))
	_, _ = w.Write(feed) // the reader left; nobody is there to tell
}
