package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// labFile writes a file of results: P2 of the golden numbers, where 12N is one non-detect away.
func labFile(t *testing.T, name, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

const labP2 = `sample,lot,measured_at,approved_at,method,element,value,unit,censored,lod
S-1,CRY-1,2026-11-20T08:00:00Z,2026-11-20T10:00:00Z,GDMS,B,0.05,pptw,=,
S-1,CRY-1,2026-11-20T08:00:00Z,2026-11-20T10:00:00Z,GDMS,P,0.12,pptw,=,
S-1,CRY-1,2026-11-20T08:00:00Z,2026-11-20T10:00:00Z,GDMS,Fe,0.20,pptw,=,
S-1,CRY-1,2026-11-20T08:00:00Z,2026-11-20T10:00:00Z,GDMS,Na,0.30,pptw,=,
S-1,CRY-1,2026-11-20T08:00:00Z,2026-11-20T10:00:00Z,GDMS,Al,,pptw,<,0.10
S-1,CRY-1,2026-11-20T08:00:00Z,2026-11-20T10:00:00Z,GDMS,Cu,,pptw,<,0.05
S-1,CRY-1,2026-11-20T08:00:00Z,2026-11-20T10:00:00Z,GDMS,Ca,,pptw,<,0.40
S-1,CRY-1,2026-11-20T08:00:00Z,2026-11-20T10:00:00Z,GDMS,O,5,ppma,=,
`

// The retained sample, measured again with a better method, and worse iron.
const (
	labCalcium = `{"sample":"S-1","lot":"CRY-1","measured_at":"2026-11-21T08:00:00Z","approved_at":"2026-11-21T10:00:00Z","method":"GDMS","element":"Ca","unit":"pptw","censored":"<","lod":"0.10","revision":2,"reason":"retained sample, longer integration"}` + "\n"
	labIron    = `{"sample":"S-1","lot":"CRY-1","measured_at":"2026-11-22T08:00:00Z","approved_at":"2026-11-22T10:00:00Z","method":"GDMS","element":"Fe","value":"0.90","u_k2":"0.10","unit":"pptw","censored":"=","revision":2,"reason":"retained sample measured again"}` + "\n"
)

func TestLabImport(t *testing.T) {
	c := openTerminal(t)
	c.must("(no samples)", "lab", "list")
	p2 := labFile(t, "gdms.csv", labP2)
	c.must("8 results: 8 new, 0 revisions, 0 approvals, 0 known already (nothing stored: dry run)", "lab", "import", p2, "--dry-run")
	c.must("(no samples)", "lab", "list")
	c.must("8 results: 8 new, 0 revisions, 0 approvals, 0 known already\n", "lab", "import", p2)
	c.must(`"results":8,"new":0,"revised":0,"approved":0,"known":8,"written":true`, "lab", "import", p2, "--json")
	bad := labFile(t, "bad.csv", strings.Replace(labP2, "0.20", "0.25", 1))
	c.refused("bad.csv:4: Fe by GDMS in S-1, revision 1 stands in gdms.csv:4 and says something else; what was measured or corrected later is revision 2", "lab", "import", p2, bad)
	worse := labFile(t, "worse.jsonl", "{\"sample\":\"S\"}\n"+strings.Replace(labIron, `"Fe"`, `"Fx"`, 1))
	out, code := c.run("lab", "import", labFile(t, "calcium.jsonl", labCalcium), worse)
	for _, want := range []string{"worse.jsonl:1: measured_at: missing", `worse.jsonl:2: element: "Fx" is no element`, "nothing was stored, problems: 6"} {
		if code != exitFailed || !strings.Contains(out, want) {
			t.Errorf("exit code %d, printed\n%s\nwant %q", code, out, want)
		}
	}
	c.must("Ca       below 0.40 pptw  0.40 pptw  GDMS    S-1     1", "lab", "show", "S-1") // nothing of a good file was stored either
	c.refused("open results", "lab", "import", filepath.Join(t.TempDir(), "none.csv"))
}

func TestLabShow(t *testing.T) {
	c := openTerminal(t)
	c.must("8 new", "lab", "import", labFile(t, "gdms.csv", labP2))
	before := time.Now().UTC().Format(time.RFC3339Nano)
	out := c.must("Σ [0.67, 1.22] pptw, N [11.913640, 12.173925]\n11N demonstrated\n12N not demonstrated: Ca below 0.40 pptw is all the method shows\n", "lab", "show", "S-1")
	for _, want := range []string{"O        5 ppma", "left out: not in the scope impurities", "Σ of all elements but H, C, N, O, by mass (pptw)", "no uncertainty is stated for B, Na, P and Fe"} {
		if !strings.Contains(out, want) {
			t.Errorf("printed\n%s\nwant %q", out, want)
		}
	}
	c.must("1 revisions", "lab", "import", labFile(t, "calcium.jsonl", labCalcium))
	c.must("12N demonstrated\n13N not reached: Na 0.30 pptw is found, and Σ is 0.67 pptw or more", "lab", "show", "--lot", "CRY-1")
	c.must("12N not demonstrated: Ca below 0.40 pptw", "lab", "show", "S-1", "--asof", before)
	c.must("1N not demonstrated: no approved result of Ni, which the policy requires", "lab", "show", "S-1", "--require", "Fe,Ni")
	c.must("by atoms (ppta)", "lab", "show", "S-1", "--basis", "atomic")
	o := c.object(c.must(`"counted":[{"element":"Na"`, "lab", "show", "S-1", "--json", "--elements", "metals"))
	if sum := o["sum"].(map[string]any); sum["sum_low_ppt"] != "0.5" || sum["sum_high_ppt"] != "0.75" || o["grade"] != 12.0 {
		t.Errorf("%v", o)
	}
	c.must(`"sample":"S-1","lots":["CRY-1"],"measured_at":"2026-11-21T08:00:00Z","elements":7`, "lab", "list", "--from", "2026-11-20", "--to", "2026-11-23T00:00:00Z", "--json")
	c.must("(no samples)", "lab", "list", "--from", "2026-11-23 00:00")

	// What nobody approved yet is listed, and grants nothing; approved, it counts.
	waiting := strings.Replace(strings.Replace(labIron, "S-1", "S-2", 1), `"approved_at":"2026-11-22T10:00:00Z",`, "", 1)
	c.must("1 new", "lab", "import", labFile(t, "waiting.jsonl", waiting))
	c.must("Fe by GDMS in S-2, revision 2 is not approved and does not count", "lab", "show", "S-2")
	c.must(`"sample":"S-2","lots":null,"measured_at":"","elements":0`, "lab", "list", "--from", "2026-11-22", "--json")
	c.must("1 approvals", "lab", "import", labFile(t, "approved.jsonl", strings.Replace(labIron, "S-1", "S-2", 1)))
	c.must("12N demonstrated", "lab", "show", "S-2")
	c.refused("no result of sample S-9 is stored", "lab", "show", "S-9")
	for _, args := range [][]string{{"lab", "show"}, {"lab", "show", "S-1", "--lot", "CRY-1"}, {"lab", "show", "S-1", "--require", "Xx"}, {"lab", "show", "S-1", "--elements", "all"}} {
		if out, code := c.run(args...); code != exitUsage {
			t.Errorf("historian %s: exit code %d, printed\n%s", strings.Join(args, " "), code, out)
		}
	}
}

func TestLabCertificate(t *testing.T) {
	c := openTerminal(t)
	c.must("8 new", "lab", "import", labFile(t, "gdms.csv", labP2))
	certificate := []string{"lab", "certificate", "S-1"}
	with := func(args ...string) []string { return append(certificate[:3:3], args...) }
	c.must("DRAFT OF A CERTIFICATE OF PURITY: not issued", with("--grade", "11N")...)
	c.refused("12N not demonstrated: Ca below 0.40 pptw is all the method shows", with("--grade", "12N")...)
	c.refused("12N not demonstrated: Ca below 0.40 pptw is all the method shows", with("--grade", "12N", "--issue", "--by", "Aigerim")...)
	c.must("1 revisions", "lab", "import", labFile(t, "calcium.jsonl", labCalcium))
	issued := c.must("Grade      12N, demonstrated\nN          [12.036212, 12.173925]", with("--grade", "12N", "--issue", "--by", "Aigerim")...)
	if shown := c.must("Signature", certificate...); shown != issued {
		t.Errorf("issued\n%s\nshown\n%s", issued, shown)
	}
	first := c.object(c.must(`"grade":12`, with("--json")...))
	before := time.Now().UTC().Format(time.RFC3339Nano)

	// A later revision leaves the certificate as it is, and is told.
	c.must("1 revisions", "lab", "import", labFile(t, "iron.jsonl", labIron))
	later := c.must("results changed since: Fe by GDMS in S-1, revision 2, says 0.90 ± 0.10 pptw; would now be N [11.764472, 11.896196], 11N", with("--grade", "12N")...)
	if body, _, _ := strings.Cut(later, "\nNote (not part of the certificate"); body != issued {
		t.Errorf("issued\n%s\nshown later\n%s", issued, body)
	}
	if at := c.must("Signature", with("--asof", before)...); at != issued {
		t.Errorf("at the time\n%s", at)
	}
	c.refused("12N not reached: Fe 0.90 ± 0.10 pptw", with("--grade", "12N", "--issue", "--by", "Aigerim")...)
	c.must("Grade      11N, demonstrated", with("--issue", "--by", "Daulet")...)
	c.refused("is of 11N, not 12N", with("--grade", "12N")...)
	c.must("Grade      12N, demonstrated", with("--grade", "12N", "--id", first["id"].(string))...)
	c.refused("no certificate LC-0 of sample S-1 stands", with("--id", "LC-0")...)
	c.must("certificate "+first["id"].(string)+": 12N, issued", "lab", "show", "S-1")

	// That of a lot is another one.
	c.must("Silicon    lot CRY-1 (samples S-1)", "lab", "certificate", "--lot", "CRY-1", "--grade", "11N", "--issue", "--by", "Daulet")
	for _, args := range [][]string{with("--issue"), with("--grade", "12"), with("--issue", "--by", "A", "--id", "x"), {"lab", "certificate"}} {
		if out, code := c.run(args...); code != exitUsage {
			t.Errorf("historian %s: exit code %d, printed\n%s", strings.Join(args, " "), code, out)
		}
	}
}
