package plane

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// Control changes a mesh that runs, over HTTP. An answer is what was done, one line each, or 400 and the reason.
//
//	POST /apply[?cluster=ID]                                  the manifests in the body
//	POST /delete[?cluster=ID]                                 the same
//	POST /scale?cluster=ID&service=NAMESPACE/NAME&endpoints=N
//	GET  /ready                                               200 from the start: who can ask is served
//	GET  /debug/...                                           istiod's own
func (p *Plane) Control() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/debug/", p.Debug())
	mux.HandleFunc("GET /ready", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]int{"clusters": p.Clusters()})
	})
	mux.HandleFunc("POST /apply", p.change(Apply))
	mux.HandleFunc("POST /delete", p.change(Delete))
	mux.HandleFunc("POST /scale", func(w http.ResponseWriter, r *http.Request) {
		query := r.URL.Query()
		namespace, service, both := strings.Cut(query.Get("service"), "/")
		count, err := strconv.Atoi(query.Get("endpoints"))
		if !both || err != nil || count < 0 {
			refuse(w, fmt.Errorf("say which service and how many endpoints: ?cluster=ID&service=NAMESPACE/NAME&endpoints=N"))
			return
		}
		if err := p.Scale(query.Get("cluster"), namespace, service, count); err != nil {
			refuse(w, err)
			return
		}
		fmt.Fprintf(w, "%s/%s in %s: %d endpoints\n", namespace, service, query.Get("cluster"), count)
	})
	return mux
}

func (p *Plane) change(change Change) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			refuse(w, err)
			return
		}
		done, err := p.Change(change, r.URL.Query().Get("cluster"), string(body))
		if err != nil {
			refuse(w, err)
			return
		}
		fmt.Fprintln(w, strings.Join(done, "\n"))
	}
}

func refuse(w http.ResponseWriter, why error) { http.Error(w, why.Error(), http.StatusBadRequest) }
