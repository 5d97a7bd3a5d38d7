# A server for one model, which is mounted at /model: numpy and FastAPI, without torch.
#   docker build --tag textclf .
#   docker run --publish 127.0.0.1:8000:8000 --volume ./runs/NAME/model:/model:ro textclf
# More options of textclf serve go after the name of the image, such as --allowed-host api.example.org.
FROM python:3.12-slim

ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1

WORKDIR /opt/textclf
COPY constraints.txt setup.cfg pyproject.toml README.md LICENSE ./
COPY textclf ./textclf

# PIP_CONSTRAINT also holds for the setuptools that builds the wheel.
RUN export PIP_CONSTRAINT=$PWD/constraints.txt \
    && pip install numpy click safetensors \
    && pip install fastapi httptools uvicorn uvloop \
    && pip install --no-deps . \
    && rm -r textclf

# No user of this number is needed, and root is none.
USER 10001:10001
WORKDIR /tmp
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8000/health', timeout=4)"]
ENTRYPOINT ["textclf", "serve", "--run", "/model", "--host", "0.0.0.0", "--port", "8000"]
