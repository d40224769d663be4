"""The application for gunicorn and other WSGI servers."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "dialadmin.settings")

from dialadmin import environment  # after the settings module is named

environment.require()
application = get_wsgi_application()
