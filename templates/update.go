package templates

// Update is what a webhook says of one template: a new status, or that its components must be read again.
type Update struct {
	Name     string
	Language string // with _, as in the catalogue
	Status   string // Meta's word in upper case; "" when unchanged
	Resync   bool   // components or category changed
}
