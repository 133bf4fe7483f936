//! socketioxide as a guest of the simulation; its application is the one that also listens.

#[path = "../socketioxide/app.rs"]
mod app;

use std::process::ExitCode;

use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use overheard::guest::{GuestError, GuestListener, GuestOptions};

async fn serve(mut listener: GuestListener, options: GuestOptions) -> Result<(), GuestError> {
    let failed = |error: serde_json::Error| GuestError::Failed(error.to_string());
    let options = serde_json::to_value(options.told()).map_err(failed)?;
    let options = serde_json::from_value(options).map_err(failed)?;
    let layer = app::layer(options).map_err(GuestError::Cannot)?;
    let service = TowerToHyperService::new(axum::Router::new().layer(layer));
    loop {
        let (stream, _) = listener.accept().await?;
        let connection =
            http1::Builder::new().serve_connection(TokioIo::new(stream), service.clone());
        // How a connection ends is for its client to see.
        tokio::spawn(async { drop(connection.with_upgrades().await) });
    }
}

fn main() -> ExitCode {
    overheard::guest::main(serve)
}
