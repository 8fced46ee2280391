package main

import (
	"github.com/leveretmq/leveret/mgmt/definitions"
)

// readDefinitionsFile reads what is to be loaded at the start, before anything is
// opened, so that a bad file stops it.
func (n *node) readDefinitionsFile(c config) (err error) {
	if c.definitions.path == "" {
		return nil
	}
	n.definitions, err = definitions.Load(c.definitions.path, definitions.ParseOptions{SkipUnsupported: c.definitions.skipUnsupported})
	return err
}

// loadDefinitions imports them, before anybody can connect.
func (n *node) loadDefinitions(c config) error {
	if n.definitions == nil {
		return nil
	}
	for _, w := range n.definitions.Warnings() {
		n.log.Warn().Str("file", c.definitions.path).Str("reason", w).Msg("definitions left out")
	}
	if !c.definitions.skipUnchanged {
		report, err := n.definitions.Apply(n.broker.VHosts())
		if err != nil {
			return err
		}
		n.log.Info().Str("file", c.definitions.path).Str("report", report.String()).Msg("definitions imported")
		return nil
	}
	report, changed, err := n.definitions.ApplyChanged(n.broker.VHosts())
	switch {
	case err != nil:
		return err
	case changed:
		n.log.Info().Str("file", c.definitions.path).Str("report", report.String()).Msg("definitions imported")
	default:
		n.log.Info().Str("file", c.definitions.path).Msg("definitions are those of the last time")
	}
	return nil
}
