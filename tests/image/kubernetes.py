#!/usr/bin/env python3
"""kubernetes.py CONFIG - config/kubernetes can be applied as it is: its files are what Kubernetes takes (by a
schema of what they use), refer to what is there, and name variables that exist; where kubectl is
installed, it builds them."""
import json
import os
import re
import shutil
import subprocess
import sys

try:
    import jsonschema
    import yaml
except ImportError as error:
    print(f'skipped: {error}')
    sys.exit(77)

config = sys.argv[1]
base = os.path.join(config, 'kubernetes')


def load(name):
    with open(os.path.join(base, name), encoding='utf-8') as file:
        return yaml.safe_load(file)


def read_env(name):
    with open(os.path.join(base, name), encoding='utf-8') as file:
        return dict(line.rstrip('\n').split('=', 1) for line in file if line.strip() and not line.startswith('#'))


def seconds(duration):
    number, unit = re.fullmatch(r'(\d+)([smh])', duration).groups()
    return int(number) * {'s': 1, 'm': 60, 'h': 3600}[unit]


kustomization, recorder, account = load('kustomization.yaml'), load('statefulset.yaml'), load('serviceaccount.yaml')
with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), 'kubernetes.schema.json'), encoding='utf-8') as file:
    schema = json.load(file)
of_account = dict(schema['definitions']['serviceaccount'], definitions=schema['definitions'])
jsonschema.validate(recorder, schema)
jsonschema.validate(account, of_account)

# What the comment says to fill in is in its place.
with open(os.path.join(base, 'serviceaccount.yaml'), encoding='utf-8') as file:
    filled = yaml.safe_load(re.sub(r'^  # (?= *(annotations|eks[.]amazonaws[.]com/role-arn):)', '  ', file.read(), flags=re.M))
jsonschema.validate(filled, of_account)
assert list(filled['metadata']['annotations']) == ['eks.amazonaws.com/role-arn']

# A schema that takes everything would prove nothing.
wrong = json.loads(json.dumps(recorder))
wrong['spec']['template']['spec']['containers'][0]['preStop'] = {}
try:
    jsonschema.validate(wrong, schema)
    sys.exit('the schema takes a misplaced member')
except jsonschema.ValidationError:
    pass

pod = recorder['spec']['template']['spec']
container = pod['containers'][0]
settings, secrets = read_env('jibri.env'), read_env('secrets.env')

assert recorder['spec']['selector']['matchLabels'] == recorder['spec']['template']['metadata']['labels']
assert {mount['name'] for mount in container['volumeMounts']} == \
    {volume['name'] for volume in pod['volumes']} | {claim['metadata']['name'] for claim in recorder['spec']['volumeClaimTemplates']}
assert [image['name'] for image in kustomization['images']] == [container['image']]
assert [entry['name'] for entry in kustomization['replicas']] == [recorder['metadata']['name']]
assert kustomization['resources'] == ['serviceaccount.yaml', 'statefulset.yaml']
assert pod['serviceAccountName'] == account['metadata']['name']
assert kustomization['configMapGenerator'] == [{'name': container['envFrom'][0]['configMapRef']['name'], 'envs': ['jibri.env']}]
references = [entry['valueFrom']['secretKeyRef'] for entry in container['env'] if 'secretKeyRef' in entry.get('valueFrom', {})]
references += [{'name': volume['secret']['secretName'], 'key': item['key']}
               for volume in pod['volumes'] if 'secret' in volume for item in volume['secret']['items']]
assert kustomization['secretGenerator'] == [{'name': references[0]['name'], 'envs': ['secrets.env']}]
assert {reference['name'] for reference in references} == {references[0]['name']}
assert {reference['key'] for reference in references} == set(secrets)
# The key can be left out by settings alone, so that a role takes its place.
mounts = {mount['mountPath'] + '/' + item['path'] for mount in container['volumeMounts'] for volume in pod['volumes']
          if volume['name'] == mount['name'] and 'secret' in volume for item in volume['secret']['items']}
assert settings['CONFOMEET_S3_CLIENT_SECRET_FILE'] in mounts
assert not [entry for entry in container['env'] if entry['name'].startswith('CONFOMEET_S3_CLIENT')]
assert pod['securityContext']['fsGroup'] == pod['securityContext']['runAsUser']

with open(os.path.join(config, 'jibri.yml'), encoding='utf-8') as file:
    known = set(re.findall(r'^ +(?:# )?- ([A-Z][A-Z0-9_]*)', file.read(), re.M))
for name in list(settings) + [entry['name'] for entry in container['env']]:
    assert name in known, f'{name} is no variable of the image'

# What preStop may take is within the grace period, with time for the services to end.
assert pod['terminationGracePeriodSeconds'] >= seconds(container['lifecycle']['preStop']['exec']['command'][1]) + 30

if shutil.which('kubectl'):
    built = subprocess.run(['kubectl', 'kustomize', base], check=True, capture_output=True, text=True).stdout
    objects = {document['kind']: document for document in yaml.safe_load_all(built)}
    assert set(objects) == {'ConfigMap', 'Secret', 'ServiceAccount', 'StatefulSet'}, set(objects)
    jsonschema.validate(objects['StatefulSet'], schema)
print('config/kubernetes can be applied')
