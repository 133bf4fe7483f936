//! socketioxide as a server that listens; `app.rs` is its application.

mod app;

use std::{env, io, process};

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let options = env::var("OVERHEARD_SERVER").unwrap_or_else(|_| "{}".into());
    let layer = app::layer(serde_json::from_str(&options)?).unwrap_or_else(|option| {
        eprintln!("cannot: {option}");
        process::exit(78)
    });
    let port = env::var("PORT").ok().and_then(|port| port.parse().ok()).unwrap_or(0_u16);
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, axum::Router::new().layer(layer)).await
}
