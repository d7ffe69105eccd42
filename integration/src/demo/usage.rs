//! What to do with a mesh that was left running: a browser, curl, and breaking it by hand.

use std::net::SocketAddr;

/// The lines to copy.
pub(super) fn text(ingress: SocketAddr, productpage: &[u32]) -> String {
    let url = format!("http://{ingress}/productpage");
    let pids: Vec<String> = productpage.iter().map(u32::to_string).collect();
    let pids = pids.join(" ");
    format!(
        "
The mesh is left running. In a browser, refresh:

  {url}

Ask for a region, and see who served:

  curl -si {url} | grep -i x-served-by-cluster
  curl -si -H 'region: us-chicago-1' {url} | grep -i x-served-by-cluster
  curl -si -H 'region: us-west' {url} | grep -i x-served-by-cluster

Freeze the primary's productpage, ask again, and let it go on:

  kill -STOP {pids}
  kill -CONT {pids}

Ctrl-C ends it."
    )
}
