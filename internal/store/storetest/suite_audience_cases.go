package storetest

import "testing"

func (a audiences) hardCases(t *testing.T) {}
