"""What the judges share: settings of the suite, and a report of what happened, as JSON on the last line."""
import base64
import hashlib
import hmac
import json
import os
import time

NAMESPACE = os.environ['NAMESPACE']
MODE = os.environ['MODE']
URL = os.environ.get('URL', '')
STATIC_TOKEN = os.environ.get('STATIC_TOKEN', '')
SCOPED_KEY = os.environ.get('SCOPED_KEY', '').encode()


def scoped_token(namespace, name, uid):
    """A token of version 2, as the router's `mint` makes it."""
    claims = json.dumps({'ns': namespace, 'name': name, 'uid': uid, 'exp': int(time.time()) + 120}).encode()
    payload = base64.urlsafe_b64encode(claims).rstrip(b'=')
    mac = hmac.new(SCOPED_KEY, b'agent-sandbox/scoped-token/v2.' + payload, hashlib.sha256).digest()
    return 'v2.' + payload.decode() + '.' + base64.urlsafe_b64encode(mac).rstrip(b'=').decode()


def error_of(act):
    """Name and status of the error that a call ends with; `none` if it ends well."""
    try:
        act()
    except Exception as error:  # noqa: BLE001: whichever it is, is what the suite wants to know
        return [type(error).__name__, getattr(error, 'status_code', None)]
    return ['none', None]


def report(results):
    print('RESULT ' + json.dumps(results))
