package main

import (
	"bufio"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"kvarts/collector/uasession"
)

type browseCmd struct {
	serverFlags
	Start  string `help:"Node to start from, as nsu=URI;s=NAME; default: the Objects folder."`
	Depth  int    `help:"Levels below it; 0: 32."`
	Limit  int    `help:"Stop after so many nodes; 0: no limit."`
	All    bool   `help:"The Server object too."`
	Format string `help:"tree, csv, json (one object a line) or yaml (a configuration to start from)." enum:"tree,csv,json,yaml" default:"tree" short:"f"`
	YAML   bool   `help:"Same as --format yaml." name:"yaml"`
	JSON   bool   `help:"Same as --format json." name:"json"`
	CSV    bool   `help:"Same as --format csv." name:"csv"`

	Measurement string `help:"Measurement in the yaml: the equipment class." default:"machine"`
	Unit        string `help:"Tag unit in the yaml: the machine." default:"unit-1"`
}

// Help is shown by collector browse --help.
func (c *browseCmd) Help() string {
	return "Example: collector browse opc.tcp://saw-1:4840 --yaml --measurement wire_saw --unit ws01 >collector.yaml\n\nOnly reads. Types, units and ranges come from the server."
}

func (c *browseCmd) Run(ctx context.Context) (err error) {
	cfg, err := c.session()
	if err != nil {
		return err
	}
	buf := bufio.NewWriter(os.Stdout)
	defer func() { err = errors.Join(err, buf.Flush()) }()
	out := c.printer(buf, &cfg)
	n := 0
	err = uasession.Browse(ctx, cfg, uasession.BrowseOptions{Start: c.Start, Depth: c.Depth, Limit: c.Limit, Server: c.All}, func(node uasession.BrowseNode) error {
		n++
		return out.node(&node)
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "%d nodes\n", n)
	return out.end()
}

// nodePrinter shows nodes as they come.
type nodePrinter interface {
	node(*uasession.BrowseNode) error
	end() error
}

func (c *browseCmd) printer(w io.Writer, cfg *uasession.ServerConfig) nodePrinter {
	switch {
	case c.YAML || c.Format == "yaml":
		return &yamlPrinter{w: w, cfg: cfg, measurement: c.Measurement, unit: c.Unit, prefixes: map[string]string{}, fields: map[string]int{}}
	case c.JSON || c.Format == "json":
		return jsonPrinter{json.NewEncoder(w)}
	case c.CSV || c.Format == "csv":
		return &csvPrinter{w: csv.NewWriter(w)}
	default:
		return &treePrinter{w: w}
	}
}

type jsonPrinter struct{ enc *json.Encoder }

func (p jsonPrinter) node(n *uasession.BrowseNode) error { return p.enc.Encode(n) }
func (p jsonPrinter) end() error                         { return nil }

type csvPrinter struct {
	w      *csv.Writer
	headed bool
}

func (p *csvPrinter) node(n *uasession.BrowseNode) error {
	if !p.headed {
		p.headed = true
		if err := p.w.Write([]string{"path", "node", "class", "data_type", "rank", "unit", "low", "high", "readable", "description"}); err != nil {
			return err
		}
	}
	low, high := "", ""
	if n.HasRange {
		low, high = number(n.Low), number(n.High)
	}
	return p.w.Write([]string{pathText(n.Path), n.Node, n.Class, n.DataType, strconv.Itoa(int(n.ValueRank)), n.Unit, low, high, strconv.FormatBool(n.Readable), n.Description})
}

func (p *csvPrinter) end() error {
	p.w.Flush()
	return p.w.Error()
}

// treePrinter gathers the nodes, which come level by level, and prints them as a tree at the end.
type treePrinter struct {
	w     io.Writer
	nodes []uasession.BrowseNode
}

func (p *treePrinter) node(n *uasession.BrowseNode) error {
	p.nodes = append(p.nodes, *n)
	return nil
}

func (p *treePrinter) end() error {
	children := map[string][]int{}
	for i := range p.nodes {
		parent := p.nodes[i].Path[:len(p.nodes[i].Path)-1]
		children[pathKey(parent)] = append(children[pathKey(parent)], i)
	}
	var print func(path []uasession.QName, indent string) error
	print = func(path []uasession.QName, indent string) error {
		below := children[pathKey(path)]
		for k, i := range below {
			n, branch, next := &p.nodes[i], "├─ ", "│  "
			if k == len(below)-1 {
				branch, next = "└─ ", "   "
			}
			if _, err := fmt.Fprintln(p.w, indent+branch+treeLine(n)); err != nil {
				return err
			}
			if err := print(n.Path, indent+next); err != nil {
				return err
			}
		}
		return nil
	}
	return print(nil, "")
}

func treeLine(n *uasession.BrowseNode) string {
	if n.Class != "Variable" {
		return n.Path[len(n.Path)-1].Name
	}
	s := fmt.Sprintf("%s  %s", n.Path[len(n.Path)-1].Name, n.DataType)
	if n.ValueRank >= 0 {
		s += "[]"
	}
	if n.Unit != "" {
		s += "  " + n.Unit
	}
	if n.HasRange {
		s += fmt.Sprintf("  %s..%s", number(n.Low), number(n.High))
	}
	return s + "  " + n.Node
}

func number(f float64) string { return strconv.FormatFloat(f, 'g', -1, 64) }

func pathText(path []uasession.QName) string {
	var b strings.Builder
	for _, q := range path {
		b.WriteString("/" + q.Name)
	}
	return b.String()
}

// pathKey identifies a path, names with slashes included.
func pathKey(path []uasession.QName) string { return fmt.Sprintf("%q", path) }
