// Package crashtest proves what the broker promises about messages that it has
// confirmed, by doing to the real program what must not harm them: it is killed
// in the middle of its work, its disk loses everything that was not synced, runs
// full, or is damaged, and queues grow far beyond its memory.
//
// It has tests only. A ledger notes what was published, confirmed and acked, and
// afterwards every message is held against it. With -short each test is a few
// rounds; the environment makes them longer: LEVERET_TEST_KILLS and
// LEVERET_TEST_CUTS (rounds), LEVERET_TEST_BACKLOG (messages), LEVERET_TEST_SOAK
// (a duration), LEVERET_TEST_DIR (a directory with room), LEVERET_TEST_SEED.
package crashtest
