//! socketioxide as a server that listens; `app.rs` is its application.

mod app;
mod request;

use std::{env, io, process};

fn cannot(option: &str) -> ! {
    eprintln!("cannot: {option}");
    process::exit(78)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let given = env::var("OVERHEARD_SERVER").unwrap_or_else(|_| "{}".into());
    let given = serde_json::from_str(&given).unwrap_or_else(|_| cannot("OVERHEARD_SERVER"));
    let layer = app::layer(given).unwrap_or_else(|option| cannot(&option));
    let port = env::var("PORT").ok().and_then(|port| port.parse().ok()).unwrap_or(0_u16);
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, axum::Router::new().layer(layer)).await
}
