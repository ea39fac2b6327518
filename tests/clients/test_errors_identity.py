"""Every refusal of the sign-in host that a client can meet today, provoked against a server started by its command.

Where `azure-identity` can be brought to it, its own error text is read, since that is what people see and search for;
and always the answer itself, field by field, by plain HTTPS. See `test_errors.py`.
"""

import base64
import json
import re
import time

import jwt
import pytest
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import CertificateCredential, ClientAssertionCredential
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from clients.certificates import make_certificate
from clients.direct import make_applications, unique
from clients.provoking import NOWHERE, World
from datetime import timedelta

pytestmark = [pytest.mark.xdist_group("errors"), pytest.mark.usefixtures("client_environ")]
