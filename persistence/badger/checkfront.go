package badger

import "errors"

// replayFront carries out what is only in the front log, and says what is wrong
// with it. A database that was opened for reading is opened again.
func (e *examination) replayFront(dir string, o Options, log *logger) error {
	var last counts
	if eachValue(e.db, keyCounts, last.read) != nil {
		return nil // compare says so
	}
	secret, err := readSecret(e.db)
	if err != nil {
		e.damage("the secret of the front log: %v", err)
		return nil
	}
	if secret == 0 {
		return nil // it has none yet
	}
	found, err := readFront(dir, secret, &last)
	if err != nil {
		return err
	}
	e.Torn += found.torn
	if found.cut && e.Replayed {
		e.damage("%s: it was cut, and what was written last may be missing", frontFile)
	}
	if found.missing > 0 {
		e.damage("%s: %d groups are missing, and with them messages", frontFile, found.missing)
	}
	if len(found.records) == 0 {
		return nil
	}
	if !e.Replayed {
		e.Replayed = true
		err := e.db.Close()
		if err == nil {
			e.db, err = guardedOpen(o.database(dir, log).WithNumCompactors(0))
		}
		if err != nil {
			return err
		}
	}
	s := &Store{dir: dir, opts: o, limits: o.limits, logger: log, front: newFront(0), db: e.db}
	s.limitTransactions()
	for _, r := range found.records {
		s.front.note(r.list)
	}
	return errors.Join(s.drain(), log.failure())
}
