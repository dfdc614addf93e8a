/** The other end of the calibrator's TCP round trips: prints its port, then sends back what it gets. */
const server = Bun.listen({
  hostname: "127.0.0.1",
  port: 0,
  socket: {
    data(socket, bytes) {
      socket.write(bytes);
    },
  },
});
console.log(server.port);
