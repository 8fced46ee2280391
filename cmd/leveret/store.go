package main

import (
	"fmt"
	"io"
	"path/filepath"
	"text/tabwriter"
	"time"

	"github.com/leveretmq/leveret/persistence"
	"github.com/leveretmq/leveret/persistence/badger"
	"github.com/leveretmq/leveret/persistence/datadir"
	"github.com/leveretmq/leveret/persistence/diskguard"
	"github.com/urfave/cli/v2"
)

// storeCommand looks at the data of a broker that is not running.
func storeCommand(p process) *cli.Command {
	return &cli.Command{
		Name:  "store",
		Usage: "look at the data of a broker that is not running",
		UsageText: "leveret store check [--data-dir DIRECTORY]\nleveret store stats [--data-dir DIRECTORY]\n" +
			"leveret store restore FILE [--data-dir DIRECTORY]",
		HideHelpCommand: true,
		OnUsageError:    usageError,
		Subcommands: []*cli.Command{
			storeSubcommand(p, "check", "verify everything that is stored; exit code 1 if anything is damaged", badger.Check),
			storeSubcommand(p, "stats", "tell how much is stored", badger.Inspect),
			restoreCommand(p),
		},
		Action: func(c *cli.Context) error {
			if c.NArg() > 0 {
				return fmt.Errorf("store has no command %q: see leveret store --help", c.Args().First())
			}
			return fmt.Errorf("store needs a command, check, stats or restore: see leveret store --help")
		},
	}
}

func storeSubcommand(p process, name, what string, look func(dir string) (badger.Report, error)) *cli.Command {
	return &cli.Command{
		Name:            name,
		Usage:           what,
		UsageText:       "leveret store " + name + " [--data-dir DIRECTORY]",
		Flags:           []cli.Flag{dataDirFlag()},
		HideHelpCommand: true,
		OnUsageError:    usageError,
		Action: func(c *cli.Context) error {
			if c.NArg() > 0 {
				return fmt.Errorf("store %s takes no argument, and got %q", name, c.Args().First())
			}
			path, flag := settings{cli: c, env: p.env}.text(flagDataDir)
			if path == "" {
				return fmt.Errorf("%s is empty", flag)
			}
			return lookAtStore(p.stdout, path, look)
		},
	}
}

// lookAtStore prints what is in a data directory, which it holds the lock of
// meanwhile. Its error is that it cannot look, or that there is damage.
func lookAtStore(w io.Writer, path string, look func(dir string) (badger.Report, error)) error {
	dir, err := datadir.OpenExisting(path)
	if err != nil {
		return err
	}
	defer dir.Close()
	if err := diskguard.Room(dir.Path()); err != nil {
		return err // a store that was not stopped cleanly is written to
	}
	report, err := look(filepath.Join(dir.Path(), storeName))
	if err != nil {
		return err
	}
	if err := printReport(w, dir, report); err != nil {
		return err
	}
	if report.Damaged > 0 {
		return fmt.Errorf("the store in %s is damaged in %d places", dir.Path(), report.Damaged)
	}
	return nil
}

func printReport(w io.Writer, dir *datadir.Dir, r badger.Report) error {
	fmt.Fprintf(w, "Data directory %s of node %s, made %s\n", dir.Path(), dir.NodeID(), dir.CreatedAt().Format(time.DateTime))
	if r.Replayed {
		fmt.Fprintln(w, "The broker did not stop cleanly: what was in the logs has been read in.")
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "\nformat\t%d\n", r.Format)
	for _, f := range []struct {
		name string
		badger.Files
	}{{"messages", r.Sizes.Values}, {"indexes and definitions", r.Sizes.Tables}, {"logs", r.Sizes.Logs}, {"other files", r.Sizes.Other}} {
		fmt.Fprintf(t, "%s\t%s in %d files\n", f.name, amount(f.Bytes), f.Count)
	}
	kinds := map[persistence.Kind]int{}
	for _, d := range r.Definitions {
		kinds[d.Kind]++
	}
	fmt.Fprintf(t, "durable queues\t%d\n", kinds[persistence.KindQueue])
	fmt.Fprintf(t, "durable exchanges\t%d\n", kinds[persistence.KindExchange])
	fmt.Fprintf(t, "bindings\t%d\n", kinds[persistence.KindBinding])
	if n := kinds[persistence.KindDuplicate]; n > 0 {
		fmt.Fprintf(t, "deduplication keys\t%d\n", n)
	}
	fmt.Fprintf(t, "chunks\t%d\n", r.Chunks)
	fmt.Fprintf(t, "records\t%d, live %s, dead %s\n", r.Records, amount(r.LiveBytes), amount(r.DeadBytes))
	held := int64(0)
	for _, x := range r.Exchanges {
		held += x.Places
	}
	fmt.Fprintf(t, "messages in queues\t%d\n", r.LivePlaces-held)
	if held > 0 {
		fmt.Fprintf(t, "messages held by exchanges\t%d\n", held)
	}
	for _, n := range []struct {
		count int64
		what  string
	}{{r.Transient, "not persistent"}, {r.Strays, "in deleted queues or exchanges"}, {r.Orphans, "unfinished writes"}} {
		if n.count > 0 {
			fmt.Fprintf(t, "to be dropped\t%d %s\n", n.count, n.what)
		}
	}
	printOwners(t, "queue id", r.Queues)
	printOwners(t, "exchange id", r.Exchanges)
	if err := t.Flush(); err != nil {
		return err
	}
	return printDamage(w, r)
}

// printOwners prints what queues or exchanges have, if any has something.
func printOwners(w io.Writer, title string, all []badger.OwnerReport) {
	if len(all) > 0 {
		fmt.Fprintf(w, "\n%s\tmessages\tbodies\n", title)
	}
	for _, o := range all {
		fmt.Fprintf(w, "%d\t%d\t%s\n", o.ID, o.Places, amount(o.Bytes))
	}
}

func printDamage(w io.Writer, r badger.Report) error {
	if r.Damaged == 0 {
		_, err := fmt.Fprintln(w, "\nNo damage was found.")
		return err
	}
	fmt.Fprintln(w, "\nDamage:")
	for _, d := range r.Damages {
		fmt.Fprintln(w, " -", d)
	}
	if more := r.Damaged - len(r.Damages); more > 0 {
		fmt.Fprintf(w, " - and %d more\n", more)
	}
	return nil
}
