package peers

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
)

func TestInfluxd18StoresAndComesBack(t *testing.T) {
	db := Influxd18(t)
	checkStoresAndComesBack(t, db)
}

func TestInfluxd2StoresAndComesBack(t *testing.T) {
	db := Influxd2(t)
	checkStoresAndComesBack(t, db)
	if db.Org == "" || db.Bucket != db.Database || db.Token == "" {
		t.Errorf("not set up: %+v", db)
	}
}

// checkStoresAndComesBack writes before a kill and a stop and reads after each.
func checkStoresAndComesBack(t *testing.T, db *Influx) {
	t.Helper()
	checkVersion(t, db)
	const q = `SELECT "t" FROM "m"`
	write := func(line string) {
		t.Helper()
		if status, answer := db.Write(line); status != http.StatusNoContent {
			t.Fatalf("write %s: %d %s", line, status, answer)
		}
	}
	read := func(want ...string) {
		t.Helper()
		got := db.Query(q)
		for _, w := range want {
			if !strings.Contains(got, w) {
				t.Errorf("%s\nwant %s in it", got, w)
			}
		}
	}
	write("m,u=a t=1.5 1700000000000000001")
	read("[1700000000000000001,1.5]")
	pid := db.Pid()
	db.Kill()
	if status, _, err := db.post("/query", "", strings.NewReader("")); err == nil {
		t.Fatalf("answers %d after it was killed", status)
	}
	if !db.Restart() {
		return
	}
	if db.Pid() == pid {
		t.Errorf("pid %d is still that of the killed process", pid)
	}
	write("m,u=a t=2.5 1700000000000000002")
	db.Stop()
	if db.Restart() {
		read("[1700000000000000001,1.5]", "[1700000000000000002,2.5]")
	}
}

func TestInfluxd18AsksForPassword(t *testing.T) {
	db := Influxd18(t, WithAuth())
	if db.Token != db.Username+":"+db.Password {
		t.Errorf("token %q", db.Token)
	}
	if status, answer := db.Write("m t=1"); status != http.StatusNoContent {
		t.Errorf("with token: %d %s", status, answer)
	}
	db.Token = "kvarts:wrong"
	if status, _ := db.Write("m t=1"); status != http.StatusUnauthorized {
		t.Errorf("with a wrong token: %d", status)
	}
}

func TestInfluxd18Settings(t *testing.T) {
	const limit = 1000
	db := Influxd18(t, WithSetting("http.max-body-size", strconv.Itoa(limit)), WithRetention(24*60*60*1e9))
	line := "m t=1 1700000000000000000\n"
	if status, _ := db.Write(strings.Repeat(line, limit/len(line)+1)); status != http.StatusRequestEntityTooLarge {
		t.Errorf("a body above the limit: %d", status)
	}
	if got := db.Query("SHOW RETENTION POLICIES"); !strings.Contains(got, "24h0m0s") {
		t.Errorf("retention: %s", got)
	}
}

// checkVersion asks the server what it is: clients choose their habits by that.
func checkVersion(t *testing.T, db *Influx) {
	t.Helper()
	res, err := http.Get(db.URL + "/ping")
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if got := res.Header.Get("X-Influxdb-Version"); got != db.Version {
		t.Errorf("the server says that it is %q, not %q", got, db.Version)
	}
}
