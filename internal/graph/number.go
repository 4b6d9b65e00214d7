package graph

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/permesso/permesso/internal/errcode"
	"github.com/permesso/permesso/sender"
)

// Number is the state of one of the business's own numbers, in Meta's words (Meta, "Phone numbers", read 2026-09-11).
// A word that Meta did not say is "".
type Number struct {
	ID           string
	Display      string // as people write it
	VerifiedName string
	Quality      string // GREEN, YELLOW, RED, NA or UNKNOWN
	Status       string // CONNECTED, or why not
	NameStatus   string
	Platform     string // CLOUD_API when it can send from here
	Throughput   string // STANDARD (80 messages a second), HIGH (1,000) or NOT_APPLICABLE
	Tier         string // the portfolio's messaging limit: TIER_250 … TIER_UNLIMITED
	CanSend      string // AVAILABLE, LIMITED or BLOCKED
	// Problems say why it is LIMITED or BLOCKED, with Meta's way out.
	Problems []string
}

const numberFields = "id,display_phone_number,verified_name,quality_rating,status,name_status,code_verification_status,throughput," +
	"whatsapp_business_manager_messaging_limit,health_status,platform_type"

// Number reads the state of a number. The error is a *sender.Error, wrapped, when Meta refused.
func (c *Client) Number(ctx context.Context, id string) (Number, error) {
	if !idForm.MatchString(id) {
		return Number{}, fmt.Errorf("reading number %q: write its phone number id, not the number", id)
	}
	var n struct {
		ID         word `json:"id"`
		Display    word `json:"display_phone_number"`
		Name       word `json:"verified_name"`
		Quality    word `json:"quality_rating"`
		Status     word `json:"status"`
		NameStatus word `json:"name_status"`
		Platform   word `json:"platform_type"`
		Throughput struct {
			Level word `json:"level"`
		} `json:"throughput"`
		Tier   word `json:"whatsapp_business_manager_messaging_limit"`
		Health struct {
			CanSend  word `json:"can_send_message"`
			Entities []struct {
				Type   word `json:"entity_type"`
				Errors []struct {
					Code        word `json:"error_code"`
					Description word `json:"error_description"`
					Solution    word `json:"possible_solution"`
				} `json:"errors"`
			} `json:"entities"`
		} `json:"health_status"`
	}
	if err := c.get(ctx, "/"+id, url.Values{"fields": {numberFields}}, &n); err != nil {
		return Number{}, fmt.Errorf("reading number %s: %w", id, err)
	}
	if n.ID == "" {
		return Number{}, fmt.Errorf("reading number %s: %w", id, errcode.With(errors.New("the answer does not name it"), errcode.MetaStrange))
	}
	out := Number{
		ID: string(n.ID), Display: string(n.Display), VerifiedName: string(n.Name), Quality: upper(n.Quality), Status: upper(n.Status),
		NameStatus: upper(n.NameStatus), Platform: upper(n.Platform), Throughput: upper(n.Throughput.Level), Tier: upper(n.Tier), CanSend: upper(n.Health.CanSend),
	}
	for _, entity := range n.Health.Entities {
		for _, e := range entity.Errors {
			problem := fmt.Sprintf("%s %s: %s %s", upper(entity.Type), e.Code, e.Description, e.Solution)
			out.Problems = append(out.Problems, strings.Join(strings.Fields(problem), " "))
		}
	}
	return out, nil
}

func upper(w word) string { return strings.ToUpper(string(w)) }

// Limit is the portfolio's messaging limit: unique people in a rolling 24 hours, or sender.AnyNumber. known is false when Meta
// named none that can be read.
func (n Number) Limit() (people int, known bool) { return sender.ParseLimit(n.Tier) }
