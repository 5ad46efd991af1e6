# One image for every process: web, worker, beat. PostgreSQL and Redis or Valkey are elsewhere (see compose.yaml).
FROM python:3.11-slim-bookworm

ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN useradd --create-home --uid 10001 ampout
WORKDIR /app

COPY requirements.lock ./
RUN pip install --require-hashes --requirement requirements.lock

COPY . .
# Values that mean nothing: collecting static files reads the settings, and no secret belongs into an image.
RUN SECRET_KEY=$(python -c 'import secrets; print(secrets.token_urlsafe(48))') DIGEST_KEY=build FIELD_KEYS=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= \
    DATABASE_URL=postgres:///build CELERY_BROKER_URL=redis://build \
    python manage.py collectstatic --noinput

USER ampout
EXPOSE 8000
CMD ["gunicorn", "ampout.wsgi", "--bind", "0.0.0.0:8000", "--worker-class", "gthread", "--workers", "2", "--threads", "8", "--no-control-socket"]
