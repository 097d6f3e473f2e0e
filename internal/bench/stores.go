package bench

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"

	"recarga/internal/servers"
)

// missing is what cannot be measured for want of a server.
func missing() map[string]string {
	cannot := map[string]string{}
	if !servers.HasRedis() {
		for _, name := range []string{Plain, SQLite, Postgres} {
			cannot[name] = "redis-server is not installed"
		}
	}
	if !servers.HasPostgres() {
		cannot[Postgres] = "PostgreSQL is not installed"
	}
	return cannot
}

// file is a SQLite database.
type file struct{ path string }

func newFile(folder string) file {
	return file{filepath.Join(folder, strings.ToLower(rand.Text())+".db")}
}

func (f file) url() string { return "sqlite:" + f.path }
func (f file) pid() int    { return 0 }

func (f file) sizes(context.Context) (map[string]float64, error) {
	info, err := os.Stat(f.path)
	if os.IsNotExist(err) { // another database was given
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return map[string]float64{DatabaseSize: float64(info.Size())}, nil
}

func (f file) close() error {
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := os.Remove(f.path + suffix); err != nil && !os.IsNotExist(err) {
			return err
		}
	}
	return nil
}

// redisServer is a redis-server as servers.NewRedis makes it.
type redisServer struct {
	server *servers.Server
	memory float64 // when it was empty
}

func newRedis() (*redisServer, error) {
	server, err := servers.NewRedis()
	if err != nil {
		return nil, err
	}
	r := &redisServer{server: server}
	if err := server.StartAnywhere(); err != nil {
		return nil, err
	}
	r.memory, _, err = r.info(context.Background())
	return r, err
}

func (r *redisServer) pid() int     { return r.server.PID() }
func (r *redisServer) close() error { return r.server.Remove() }

func (r *redisServer) info(ctx context.Context) (memory, written float64, err error) {
	client := redis.NewClient(&redis.Options{Addr: r.server.Addr(), DisableIdentity: true})
	defer func() { _ = client.Close() }()
	text, err := client.Info(ctx, "memory", "persistence").Result()
	for line := range strings.Lines(text) {
		_, _ = fmt.Sscanf(line, "used_memory:%g", &memory)
		_, _ = fmt.Sscanf(line, "aof_current_size:%g", &written)
	}
	return memory, written, err
}

func (r *redisServer) sizes(ctx context.Context) (map[string]float64, error) {
	memory, written, err := r.info(ctx)
	return map[string]float64{RedisMemory: max(0, memory-r.memory), RedisWritten: written}, err
}

// cluster is a PostgreSQL server as durable as it is by default.
type cluster struct {
	server *servers.Server
	empty  float64
}

func newPostgres(ctx context.Context) (*cluster, error) {
	server, err := servers.NewPostgres()
	if err != nil {
		return nil, err
	}
	c := &cluster{server: server}
	if err := server.StartAnywhere(); err != nil {
		return nil, err
	}
	c.empty, err = c.size(ctx)
	return c, err
}

func (c *cluster) url() string {
	return "postgres://recarga@" + c.server.Addr() + "/postgres?sslmode=disable"
}
func (c *cluster) pid() int     { return c.server.PID() }
func (c *cluster) close() error { return c.server.Remove() }

func (c *cluster) size(ctx context.Context) (bytes float64, err error) {
	conn, err := pgx.Connect(ctx, c.url())
	if err != nil {
		return 0, err
	}
	defer func() { _ = conn.Close(ctx) }()
	err = conn.QueryRow(ctx, sqls.Get("postgres/size")).Scan(&bytes)
	return bytes, err
}

func (c *cluster) sizes(ctx context.Context) (map[string]float64, error) {
	size, err := c.size(ctx)
	return map[string]float64{DatabaseSize: size - c.empty}, err
}
