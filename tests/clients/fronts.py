"""nginx and HAProxy as an operator sets them up in front of a server: `docs/operations.md` has the same lines."""

import shutil
from pathlib import Path

import clients.networks as nets

STREAM_MODULE = Path("/usr/lib/nginx/modules/ngx_stream_module.so")
NGINX_HTTP, NGINX_STREAM, HAPROXY_TCP, HAPROXY_HTTP, HAPROXY_BOTH = HOSTS = (11, 12, 13, 14, 15)
PLAIN, PROXIED = 8443, 9443
"""Ports of the server that takes no PROXY header, and of the one that does."""

NGINX = """
user root;
daemon off;
worker_processes 1;
load_module {module};
pid {folder}/nginx.pid;
events {{ }}
http {{
  access_log off;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  server {{
    listen {http}; listen {http_6};
    ssl_certificate {folder}/chain.pem;
    ssl_certificate_key {folder}/key.pem;
    client_max_body_size 20m;
    location / {{
      proxy_pass https://{server}:{plain};
      proxy_http_version 1.1;
      proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header Forwarded "";
      proxy_ssl_server_name on;
      proxy_ssl_name $host;
      proxy_ssl_session_reuse off;
      proxy_ssl_verify on;
      proxy_ssl_trusted_certificate {ca};
    }}
  }}
}}
stream {{
  server {{
    listen {stream}; listen {stream_6};
    proxy_pass {server}:{proxied};
    proxy_protocol on;
  }}
}}
"""
HAPROXY = """
global
  maxconn 200
defaults
  timeout connect 5s
  timeout client 60s
  timeout server 60s
frontend connections
  mode tcp
  bind {tcp}
  bind {tcp_6}
  default_backend by-connection
backend by-connection
  mode tcp
  server strongroom {server}:{proxied} send-proxy-v2 check
frontend requests
  mode http
  bind {web} ssl crt {folder}/pair.pem
  bind {web_6} ssl crt {folder}/pair.pem
  default_backend by-request
backend by-request
  mode http
  option forwardfor
  http-request del-header Forwarded
  server strongroom {server}:{plain} ssl verify required ca-file {ca} sni req.hdr(host),field(1,:)
frontend requests-and-connections
  mode http
  bind {both} ssl crt {folder}/pair.pem
  bind {both_6} ssl crt {folder}/pair.pem
  default_backend by-both
backend by-both
  mode http
  option forwardfor
  server strongroom {server}:{proxied} send-proxy ssl verify required ca-file {proxied_ca} sni req.hdr(host),field(1,:)
"""


def start_fronts(namespace, number, folder, ca, proxied_ca):
    """Start both in a namespace that has the addresses HOSTS of 10.77.{number}.0/24; return their processes.

    folder: holds `chain.pem` and `key.pem`. ca, proxied_ca: whom the two servers' certificates are of.
    """
    (folder / "pair.pem").write_text((folder / "chain.pem").read_text() + (folder / "key.pem").read_text())
    places = {"folder": folder, "server": nets.SERVER, "plain": PLAIN, "proxied": PROXIED, "module": STREAM_MODULE}
    places |= {"ca": ca, "proxied_ca": proxied_ca}
    ports = {"http": (NGINX_HTTP, PLAIN), "stream": (NGINX_STREAM, PROXIED), "tcp": (HAPROXY_TCP, PROXIED)}
    ports |= {"web": (HAPROXY_HTTP, PLAIN), "both": (HAPROXY_BOTH, PROXIED)}
    for name, (host, port) in ports.items():
        places |= {name: f"10.77.{number}.{host}:{port}", f"{name}_6": f"[fd77:{number}::{host}]:{port}"}
    places |= {"http": f"{places['http']} ssl", "http_6": f"{places['http_6']} ssl"}
    (folder / "nginx.conf").write_text(NGINX.format(**places))
    (folder / "haproxy.cfg").write_text(HAPROXY.format(**places))
    with (folder / "fronts.log").open("w") as log:
        return [
            namespace.start(found("nginx"), "-e", f"{folder}/nginx.log", "-c", f"{folder}/nginx.conf", log=log),
            namespace.start(found("haproxy"), "-db", "-f", f"{folder}/haproxy.cfg", log=log),
        ]


def found(program):
    return shutil.which(program, path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
