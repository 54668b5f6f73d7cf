package main

import (
	"bufio"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"kvarts/historian/influx"
)

// target is how every command that speaks to a store is told which.
type target struct {
	URL       string        `help:"URL of the store." default:"http://127.0.0.1:8086" env:"KVARTS_URL"`
	Database  string        `help:"Database, or bucket of InfluxDB 2." default:"kvarts" short:"d" env:"KVARTS_DATABASE"`
	Org       string        `help:"Organization (InfluxDB 2)."`
	TokenFile string        `help:"File that holds the token." type:"existingfile" env:"KVARTS_TOKEN_FILE"`
	TokenEnv  string        `help:"Environment variable that holds the token." default:"KVARTS_TOKEN"`
	User      string        `help:"User name (InfluxDB 1.8); the token is then the password."`
	CAFile    string        `help:"Certificates (PEM) of a private authority." type:"existingfile"`
	Timeout   time.Duration `help:"Longest wait for an answer." default:"30s"`
}

func (t *target) client() (*influx.Client, error) {
	o := influx.Options{URL: t.URL, Org: t.Org, Database: t.Database, TokenFile: t.TokenFile, CAFile: t.CAFile, Timeout: t.Timeout, UserAgent: "kvarts-historian/" + versionText()}
	if o.TokenFile == "" {
		o.Token = os.Getenv(t.TokenEnv)
	}
	if t.User != "" {
		secret := o.Token
		if t.TokenFile != "" {
			b, err := os.ReadFile(t.TokenFile)
			if err != nil {
				return nil, fmt.Errorf("read password: %w", err)
			}
			secret = strings.TrimSpace(string(b))
		}
		o.Username, o.Password, o.Token, o.TokenFile = t.User, secret, "", ""
	}
	return influx.New(o)
}

type queryCmd struct {
	target
	Text   string            `arg:"" help:"InfluxQL, for example: SELECT mean(wire_speed_m_s) FROM wire_saw WHERE time > now() - 5m GROUP BY time(1m), unit"`
	Param  map[string]string `help:"Bound parameter: --param unit=ws01 for $unit. Numbers are bound as numbers."`
	Format string            `help:"table, csv or json (one object a line)." enum:"table,csv,json" default:"table" short:"f"`
	JSON   bool              `help:"Same as --format json."`
}

func (c *queryCmd) Run(ctx context.Context) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	defer client.Close()
	params := map[string]any{}
	for k, v := range c.Param {
		params[k] = paramValue(v)
	}
	if c.JSON {
		c.Format = "json"
	}
	out := newPrinter(c.Format)
	if err := client.Query(ctx, influx.Query{Text: c.Text, Params: params}, out.row); err != nil {
		return err
	}
	return out.close()
}

func paramValue(s string) any {
	if i, err := strconv.ParseInt(s, 10, 64); err == nil {
		return i
	}
	if f, err := strconv.ParseFloat(s, 64); err == nil {
		return f
	}
	return s
}

// printer shows rows as they come: a table or CSV for each series of each statement, or JSON objects.
type printer struct {
	format string
	buf    *bufio.Writer
	table  *tabwriter.Writer
	csv    *csv.Writer
	head   string // of what is being printed
	rows   int
}

func newPrinter(format string) *printer {
	b := bufio.NewWriter(os.Stdout)
	return &printer{format: format, buf: b, table: tabwriter.NewWriter(b, 0, 0, 2, ' ', 0), csv: csv.NewWriter(b)}
}

func (p *printer) row(r influx.Row) error {
	p.rows++
	switch p.format {
	case "json":
		return p.object(r)
	case "csv":
		return p.record(r)
	}
	head := fmt.Sprintf("%d %s %v %v", r.Statement, r.Series, r.Tags, r.Columns)
	if head != p.head {
		if err := p.table.Flush(); err != nil {
			return err
		}
		if p.head != "" {
			fmt.Fprintln(p.table)
		}
		p.head = head
		fmt.Fprintln(p.table, title(r))
		fmt.Fprintln(p.table, strings.Join(r.Columns, "\t"))
	}
	_, err := fmt.Fprintln(p.table, strings.Join(cells(r), "\t"))
	return err
}

func title(r influx.Row) string {
	var b strings.Builder
	b.WriteString(r.Series)
	for _, t := range r.Tags {
		fmt.Fprintf(&b, " %s=%s", t.Key, t.Value)
	}
	return b.String()
}

// cells gives the row's values as text, its time in RFC 3339.
func cells(r influx.Row) []string {
	out := make([]string, len(r.Values))
	for i, v := range r.Values {
		out[i] = v.String()
		if t, ok := r.Time(); ok && i == 0 {
			out[i] = t.String()
		}
	}
	return out
}

func (p *printer) record(r influx.Row) error {
	tags := make([]string, len(r.Tags))
	for i, t := range r.Tags {
		tags[i] = t.Key
	}
	if head := strings.Join(slices.Concat([]string{"series"}, tags, r.Columns), "\x00"); head != p.head {
		p.head = head
		if err := p.csv.Write(slices.Concat([]string{"series"}, tags, r.Columns)); err != nil {
			return err
		}
	}
	values := make([]string, len(r.Tags))
	for i, t := range r.Tags {
		values[i] = t.Value
	}
	return p.csv.Write(slices.Concat([]string{r.Series}, values, cells(r)))
}

func (p *printer) object(r influx.Row) error {
	o := map[string]any{"series": r.Series}
	for _, t := range r.Tags {
		o[t.Key] = t.Value
	}
	for i, v := range r.Values {
		o[r.Columns[i]] = jsonValue(v)
	}
	if t, ok := r.Time(); ok {
		o["time"] = t
	}
	return json.NewEncoder(p.buf).Encode(o)
}

func jsonValue(v influx.Value) any {
	switch v.Kind() {
	case influx.Null:
		return nil
	case influx.Integer, influx.Float:
		return json.Number(v.String())
	case influx.Boolean:
		b, _ := v.Bool()
		return b
	default:
		s, _ := v.Text()
		return s
	}
}

func (p *printer) close() error {
	p.csv.Flush()
	if err := p.csv.Error(); err != nil {
		return err
	}
	if p.rows == 0 && p.format == "table" {
		fmt.Fprintln(p.table, "(no rows)")
	}
	if err := p.table.Flush(); err != nil {
		return err
	}
	return p.buf.Flush()
}
