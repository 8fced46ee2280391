// The tests take their broker from the variable URL in one file and from
// 'amqp://localhost' in the others. This sends the default port to the broker
// under test, so that the tests stay as they were shipped.
const net = require('node:net');

const target = new URL(process.env.AMQP_TARGET);
const connect = net.Socket.prototype.connect;

net.Socket.prototype.connect = function (...args) {
  const options = Array.isArray(args[0]) ? args[0][0] : args[0];
  const local = options && ['localhost', '127.0.0.1', undefined].includes(options.host);
  if (local && Number(options.port) === 5672) {
    options.host = target.hostname;
    options.port = Number(target.port || 5672);
  }
  return connect.apply(this, args);
};
