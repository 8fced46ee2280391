package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/leveretmq/leveret/persistence/badger"
	"github.com/leveretmq/leveret/persistence/datadir"
	"github.com/urfave/cli/v2"
)

// restoreCommand makes a data directory of a backup.
func restoreCommand(p process) *cli.Command {
	return &cli.Command{
		Name:            "restore",
		Usage:           "make a data directory of a backup; FILE may be - for the standard input",
		UsageText:       "leveret store restore FILE [--data-dir DIRECTORY]",
		Flags:           []cli.Flag{dataDirFlag()},
		HideHelpCommand: true,
		OnUsageError:    usageError,
		Action: func(c *cli.Context) error {
			path, flag := settings{cli: c, env: p.env}.text(flagDataDir)
			args, err := restoreArguments(c.Args().Slice(), &path)
			switch {
			case err != nil:
				return err
			case len(args) != 1:
				return fmt.Errorf("store restore takes one file, and got %d: see leveret store restore --help", len(args))
			case path == "":
				return fmt.Errorf("%s is empty", flag)
			}
			return restoreStore(p, args[0], path)
		},
	}
}

// restoreArguments takes the flag out of what follows the file, where the cli package does
// not look for flags.
func restoreArguments(all []string, path *string) (args []string, err error) {
	for i := 0; i < len(all); i++ {
		name, value, has := strings.Cut(all[i], "=")
		switch {
		case all[i] == "-" || !strings.HasPrefix(all[i], "-"):
			args = append(args, all[i])
			continue
		case strings.TrimLeft(name, "-") != flagDataDir:
			return nil, usageError(nil, fmt.Errorf("flag provided but not defined: %s", name), true)
		}
		if !has {
			if i++; i == len(all) {
				return nil, usageError(nil, fmt.Errorf("flag needs an argument: -%s", flagDataDir), true)
			}
			value = all[i]
		}
		*path = value
	}
	return args, nil
}

// restoreStore makes the directory whole or not at all, and says what is in it.
func restoreStore(p process, file, path string) error {
	in, name, err := openBackup(p, file)
	if err != nil {
		return err
	}
	defer in.Close()
	err = datadir.Fill(path, func(dir string) error {
		_, err := badger.Restore(filepath.Join(dir, storeName), in)
		return err
	})
	if errors.Is(err, badger.ErrBackup) {
		return fmt.Errorf("%s is %w; nothing was restored", name, err)
	}
	if err != nil {
		return err
	}
	return lookAtStore(p.stdout, path, badger.Inspect)
}

// openBackup opens a file, or the standard input.
func openBackup(p process, file string) (io.ReadCloser, string, error) {
	if file == "-" {
		return io.NopCloser(p.stdin), "the standard input", nil
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, "", fmt.Errorf("the backup cannot be read: %w", err)
	}
	return f, file, nil
}
