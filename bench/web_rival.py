# SPDX-License-Identifier: BSD-3-Clause
"""nginx with a static site, in one process, as host_network.Server runs it."""

from __future__ import annotations

from pathlib import Path

NAME = "nginx on Linux over veth"
_CONFIGURATION = """
user root; daemon off; master_process off; pid {directory}/pid; error_log /dev/stdout notice; worker_rlimit_nofile 8192;
events {{ worker_connections 4096; }}
http {{
  access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000000;
  types {{ text/html html; text/css css; text/javascript js; image/png png; }}
  open_file_cache max=200; open_file_cache_valid 1h;
  client_body_temp_path {directory}/body; proxy_temp_path {directory}/proxy; fastcgi_temp_path {directory}/fastcgi;
  uwsgi_temp_path {directory}/uwsgi; scgi_temp_path {directory}/scgi;
  server {{ listen 80 reuseport backlog=4096; root {directory}/site; }}
}}
"""


def nginx(directory: Path) -> list[str | Path]:
    """The command that serves what is in the directory's `site`; it needs the directory for files of its own."""
    (directory / "nginx.conf").write_text(_CONFIGURATION.format(directory=directory))
    return ["nginx", "-p", directory, "-c", directory / "nginx.conf"]
