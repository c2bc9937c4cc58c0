# A server of one model: docker build --build-arg MODEL=served -t answers . && docker run -p 8000:8000 answers
FROM python:3.11-slim
COPY setup.cfg pyproject.toml README.md /source/
COPY mbm_keras /source/mbm_keras
COPY data_pipelines /source/data_pipelines
RUN pip install --no-cache-dir "/source[serve]" && rm -r /source
ARG MODEL=served
COPY ${MODEL} /model
RUN useradd --create-home server
USER server
EXPOSE 8000
HEALTHCHECK --start-period=60s CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/healthz', timeout=5)"]
CMD ["mbm", "serve", "/model", "--host", "0.0.0.0"]
