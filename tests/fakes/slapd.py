"""A real OpenLDAP server with a few people and groups, by StartTLS and by TLS."""

from __future__ import annotations

import shutil
import socket
import subprocess
from collections.abc import Iterable
from pathlib import Path

import trustme

from tests.fakes.foreground import Foreground, free_port, program

SUFFIX = "dc=example,dc=net"
PEOPLE, GROUPS = f"ou=people,{SUFFIX}", f"ou=groups,{SUFFIX}"
MANAGER, MANAGER_PASSWORD = f"cn=manager,{SUFFIX}", "manager's own"
_NOBODY = f"cn=nobody,{SUFFIX}"  # a group must have a member
_CONFIGURATION = """\
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
moduleload back_mdb
pidfile {folder}/pid
TLSCACertificateFile {folder}/ca.pem
TLSCertificateFile {folder}/server.pem
TLSCertificateKeyFile {folder}/server.key
security tls=1
require authc
disallow bind_anon
database mdb
maxsize 10485760
dbnosync
suffix "{suffix}"
rootdn "{manager}"
rootpw "{password}"
directory {folder}/data
access to attrs=userPassword by anonymous auth by * none
access to * by * read
"""


class Slapd(Foreground):
    """A directory by StartTLS and by TLS from the start.

    By its address: of `localhost` OpenLDAP wants a certificate for the machine's own name.
    """

    def __init__(self) -> None:
        super().__init__()
        self.tls_port = free_port()
        self.ca = self.folder / "ca.pem"

    @property
    def url(self) -> str:
        """Where it answers plainly, until StartTLS."""
        return f"ldap://127.0.0.1:{self.port}"

    @property
    def tls_url(self) -> str:
        """Where it answers by TLS from the start."""
        return f"ldaps://127.0.0.1:{self.tls_port}"

    def command(self) -> list[str]:
        """Write configuration, certificates and the first entries; return what starts it."""
        if not Path("/etc/ldap/schema/core.schema").exists():
            program("slapd-schema", "slapd")
        authority = trustme.CA()
        authority.cert_pem.write_to_path(self.ca)
        # Debian builds OpenLDAP with GnuTLS, where a certificate without a common name is none.
        certificate = authority.issue_cert("127.0.0.1", common_name="127.0.0.1")
        certificate.private_key_pem.write_to_path(self.folder / "server.key")
        certificate.cert_chain_pems[0].write_to_path(self.folder / "server.pem")
        (self.folder / "data").mkdir()
        configuration = self.folder / "slapd.conf"
        configuration.write_text(
            _CONFIGURATION.format(
                folder=self.folder, suffix=SUFFIX, manager=MANAGER, password=MANAGER_PASSWORD
            ),
            encoding="ascii",
        )
        self._load(configuration)
        urls = f"ldap://127.0.0.1:{self.port} ldaps://127.0.0.1:{self.tls_port}"
        return [program("slapd", "slapd"), "-d", "0", "-f", str(configuration), "-h", urls]

    def is_ready(self) -> bool:
        """Tell whether both doors are open."""
        try:
            with socket.create_connection(("127.0.0.1", self.tls_port), timeout=2):
                return super().is_ready()
        except OSError:
            return False

    def add_person(self, name: str, *, password: str, attributes: Iterable[str] = ()) -> str:
        """Add a person and return the DN."""
        dn = f"uid={name},{PEOPLE}"
        lines = ["objectClass: inetOrgPerson", f"uid: {name}", f"cn: {name}", f"sn: {name}"]
        self._change(dn, "add", [*lines, f"userPassword: {password}", *attributes])
        return dn

    def add_group(self, name: str, *members: str) -> str:
        """Add a group and return the DN."""
        dn = f"cn={name},{GROUPS}"
        lines = [f"member: {member}" for member in (_NOBODY, *members)]
        self._change(dn, "add", ["objectClass: groupOfNames", f"cn: {name}", *lines])
        return dn

    def take_out(self, group: str, member: str) -> None:
        """Take a member out of a group."""
        self._change(group, "modify", ["delete: member", f"member: {member}"])

    def put_in(self, group: str, member: str) -> None:
        """Put a member into a group."""
        self._change(group, "modify", ["add: member", f"member: {member}"])

    def _change(self, dn: str, what: str, lines: Iterable[str]) -> None:
        text = "\n".join([f"dn: {dn}", f"changetype: {what}", *lines, ""])
        done = subprocess.run(
            [
                program("ldapmodify", "ldap-utils"), "-x", "-ZZ", "-H", self.url,
                "-D", MANAGER, "-w", MANAGER_PASSWORD,
            ],
            input=text, env={"LDAPTLS_CACERT": str(self.ca)}, text=True, capture_output=True,
            timeout=20, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr

    def _load(self, configuration: Path) -> None:
        tree = [
            f"dn: {SUFFIX}\nobjectClass: dcObject\nobjectClass: organization\ndc: example\no: x\n",
            f"dn: {PEOPLE}\nobjectClass: organizationalUnit\nou: people\n",
            f"dn: {GROUPS}\nobjectClass: organizationalUnit\nou: groups\n",
        ]
        add = shutil.which("slapadd", path="/usr/sbin:/usr/bin") or program("slapadd", "slapd")
        subprocess.run(
            [add, "-f", str(configuration)], input="\n".join(tree), text=True, timeout=20,
            check=True, capture_output=True,
        )  # fmt: skip
