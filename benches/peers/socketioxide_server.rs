//! socketioxide on axum, for the loopback comparison: one room with everybody in it.

use axum::serve::ListenerExt as _;
use serde_json::Value;
use socketioxide::SocketIo;
use socketioxide::extract::{Data, SocketRef};
use tokio::net::TcpListener;

use crate::announce;

/// Serves until the process is ended.
pub(crate) fn serve() -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        // Its default of 128 packets per connection drops deliveries at 64 in flight.
        let (layer, io) = SocketIo::builder().max_buffer_size(16_384).build_layer();
        let all = io.clone();
        io.ns("/", async move |socket: SocketRef| {
            socket.join("room");
            socket.on("pub", async move |Data::<Value>(value)| {
                // A socket that has gone is none of the others' business.
                drop(all.to("room").emit("m", &value).await);
            });
        });
        let app = axum::Router::new().layer(layer);
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        announce(listener.local_addr()?);
        // Without delay, as the others.
        let listener = listener.tap_io(|tcp| drop(tcp.set_nodelay(true)));
        axum::serve(listener, app).await
    })
}
