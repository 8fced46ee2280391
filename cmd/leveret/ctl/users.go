package ctl

import (
	"bufio"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"

	"golang.org/x/term"
)

func userVerbs() []verb {
	return []verb{
		{name: "list_users", usage: "[--no-table-headers] [--timeout <timeout>]", about: "List user names and tags", run: listUsers},
		{name: "add_user", usage: "<username> [<password>] [--pre-hashed-password]", options: []string{"pre-hashed-password"},
			about: "Creates a new user in the internal database. This user will have no permissions for any virtual hosts by default",
			least: 1, most: 2, secret: 2, run: addUser},
		{name: "delete_user", usage: "<username>", about: "Removes a user from the internal database", least: 1, most: 1, run: deleteUser},
		{name: "change_password", usage: "<username> [<password>]", about: "Changes the user password", least: 1, most: 2, secret: 2, run: changePassword},
		{name: "clear_password", usage: "<username>", about: "Clears (resets) password and disables password login for a user", least: 1, most: 1, run: clearPassword},
		{name: "authenticate_user", usage: "<username> [<password>]", about: "Attempts to authenticate a user. Exits with a non-zero code if authentication fails",
			least: 1, most: 2, secret: 2, run: authenticateUser},
		{name: "set_user_tags", usage: "<username> <tag> [...]", about: "Sets user tags", least: 1, most: -1, run: setUserTags},
		{name: "hash_password", usage: "[<password>]", about: "Hashes a password, as definitions and --pre-hashed-password take it", most: 1, secret: 1, run: hashPassword},
	}
}

// user is a user as the API has it. What a change does not name must be sent back.
type user struct {
	Name             string `json:"name"`
	PasswordHash     string `json:"password_hash"`
	HashingAlgorithm string `json:"hashing_algorithm"`
	Tags             any    `json:"tags"`
}

func (u user) tags() string { return strings.Join(tags(u.Tags, nil).(words), ",") }

// user returns a user, or a failure with the code for one that is not there.
func (c *call) user(name string, code int) (u user, err error) {
	err = c.get(pathOf("users", name), &u)
	return u, missingUser(err, name, code)
}

func missingUser(err error, name string, code int) error {
	if refusedWith(err, http.StatusNotFound) {
		return failed(code, "User \"%s\" does not exist", name)
	}
	return err
}

func listUsers(c *call) error {
	c.announce("Listing users ...")
	var users []user
	if err := c.get("/users", &users); err != nil {
		return err
	}
	var rows [][]any
	for _, u := range users {
		rows = append(rows, []any{u.Name, tags(u.Tags, nil)})
	}
	return c.table([]string{"user", "tags"}, rows)
}

func addUser(c *call) error {
	name := c.args[0]
	c.say("Adding user \"%s\" ...", name)
	password, err := c.password(1)
	if err != nil {
		return err
	}
	switch err := c.get(pathOf("users", name), nil); {
	case err == nil:
		// A PUT would change it.
		return failed(exitSoftware, "User \"%s\" already exists", name)
	case !refusedWith(err, http.StatusNotFound):
		return err
	}
	body := object{"password": password, "tags": ""}
	if c.has("pre-hashed-password") {
		if raw, err := base64.StdEncoding.DecodeString(password); err != nil || len(raw) != saltSize+sha256.Size {
			return failed(exitData, "a hashed password is the Base64 of a salt of %d bytes and a SHA-256 hash: see hash_password", saltSize)
		}
		body = object{"password_hash": password, "hashing_algorithm": "rabbit_password_hashing_sha256", "tags": ""}
	}
	if err := c.put(pathOf("users", name), body); err != nil {
		return err
	}
	text := fmt.Sprintf("Done. Don't forget to grant the user permissions to some virtual hosts! See '%s help set_permissions' to learn more.", c.tool)
	if c.format == formatJSON {
		return c.json(ordered{{"message", text}, {"node", c.node()}, {"status", "ok"}})
	}
	c.say("%s", text)
	return nil
}

func deleteUser(c *call) error {
	c.say("Deleting user \"%s\" ...", c.args[0])
	if err := c.delete(pathOf("users", c.args[0])); err != nil {
		return missingUser(err, c.args[0], exitNoUser)
	}
	return c.done()
}

func changePassword(c *call) error {
	c.say("Changing password for user \"%s\" ...", c.args[0])
	password, err := c.password(1)
	if err != nil {
		return err
	}
	return c.changeUser(exitNoUser, func(u user) object { return object{"password": password, "tags": u.tags()} })
}

func clearPassword(c *call) error {
	c.say("Clearing password for user \"%s\" ...", c.args[0])
	return c.changeUser(exitUnavailable, func(u user) object { return object{"password_hash": "", "tags": u.tags()} })
}

func setUserTags(c *call) error {
	c.say("Setting tags for user \"%s\" to [%s] ...", c.args[0], strings.Join(c.args[1:], ", "))
	for _, tag := range c.args[1:] {
		if tag == "" || strings.Contains(tag, ",") {
			return failed(exitData, "a tag must be a word without commas")
		}
	}
	return c.changeUser(exitNoUser, func(u user) object {
		body := object{"password_hash": u.PasswordHash, "tags": strings.Join(c.args[1:], ",")}
		if u.PasswordHash != "" {
			body["hashing_algorithm"] = u.HashingAlgorithm
		}
		return body
	})
}

// changeUser puts a user again, because the API replaces it as a whole.
func (c *call) changeUser(missing int, body func(user) object) error {
	u, err := c.user(c.args[0], missing)
	if err != nil {
		return err
	}
	if err := c.put(pathOf("users", u.Name), body(u)); err != nil {
		return err
	}
	return c.done()
}

// authenticateUser asks who the user is, as that user. A user without tags is told
// that only after the password.
func authenticateUser(c *call) error {
	c.say("Authenticating user \"%s\" ...", c.args[0])
	password, err := c.password(1)
	if err != nil {
		return err
	}
	as := *c.api
	as.user, as.password = c.args[0], password
	err = as.get(c.ctx, "/whoami", nil)
	var r *refusal
	if errors.As(err, &r) && r.status == http.StatusUnauthorized {
		if r.name != "not_authorised" {
			return failed(exitData, "Error: failed to authenticate user \"%s\"\nuser '%s' - invalid credentials", c.args[0], c.args[0])
		}
		if r.reason != "Not management user" {
			return failed(exitData, "Error: failed to authenticate user \"%s\"\nuser '%s' - %s", c.args[0], c.args[0], r.reason)
		}
	} else if err != nil {
		return err
	}
	return c.message("Success")
}

// saltSize is the size of a hash's salt, in bytes.
const saltSize = 4

func hashPassword(c *call) error {
	password, err := c.password(0)
	if err != nil {
		return err
	}
	salted := make([]byte, saltSize, saltSize+len(password))
	rand.Read(salted)
	sum := sha256.Sum256(append(salted, password...))
	hash := base64.StdEncoding.EncodeToString(append(salted[:saltSize:saltSize], sum[:]...))
	return c.message("%s", hash)
}

// password is the argument at a place, from 0, or what Stdin gives, up to the end of
// its line.
func (c *call) password(place int) (string, error) {
	if len(c.args) > place {
		if c.args[place] == "" {
			return "", failed(exitData, "Password cannot be an empty string")
		}
		return c.args[place], nil
	}
	line, err := c.readPassword()
	if err != nil || line == "" {
		return "", failed(exitData, "Password is not provided via argument or stdin")
	}
	return line, nil
}

func (c *call) readPassword() (string, error) {
	if f, ok := c.env.Stdin.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		fmt.Fprint(c.env.Stderr, "Password: ")
		line, err := term.ReadPassword(int(f.Fd()))
		fmt.Fprintln(c.env.Stderr)
		return string(line), err
	}
	if c.env.Stdin == nil {
		return "", nil
	}
	lines := bufio.NewScanner(c.env.Stdin)
	lines.Scan()
	return lines.Text(), lines.Err()
}
